-- seeding: the state a run starts from, at first and at each resume. Needs handing.
-- seed: {ready = [[queue, [task, ...]], ...], missing = [task, count, ...], forget = [task, ...]}
local function sow(seed, graph)
  local total = 0
  call_in_parts('HDEL', k'state', seed.forget)
  call_in_parts('HSET', k'missing', seed.missing)
  for _, part in ipairs(seed.ready) do
    local states = {}
    for i, task in ipairs(part[2]) do states[2 * i - 1], states[2 * i] = task, 'queued' end
    call_in_parts('HSET', k'state', states)
    total = total + #part[2]
  end
  redis.call('HSET', k'meta', 'active', total)
  redis.call('ZADD', 'wfnb:active', now, meta[6])
  redis.call('ZADD', 'wfnb:runs', now, meta[6])
  tell('"opened":' .. generation)
  for _, part in ipairs(seed.ready) do push(part[1], part[2], graph) end
  if total == 0 then count_active(0) end
end
