-- seeding: the state a run starts from, at first and at each resume. Needs handing.
-- seed: {ready = [[queue, [task, ...]], ...], missing = [task, count, ...], forget = [task, ...],
--   done = count, reused = [task, ...]}

-- Their inputs may have to run for others: that does not make them ready.
local function reuse(tasks, first_result)
  local states, results, missing = {}, {}, {}
  for i, task in ipairs(tasks) do
    local result = ARGV[first_result + i - 1]
    states[2 * i - 1], states[2 * i] = task, 'reused'
    missing[2 * i - 1], missing[2 * i] = task, NEVER
    if result ~= '' then results[#results + 1], results[#results + 2] = task, result end
  end
  call_in_parts('HSET', k'state', states)
  call_in_parts('HSET', k'missing', missing)
  call_in_parts('HDEL', k'values', tasks)
  call_in_parts('HSET', k'results', results)
end

-- Results of reused tasks are arguments of the verb, from this one on.
local function sow(seed, graph, first_result)
  local total = 0
  call_in_parts('HDEL', k'expansions', seed.forget)
  call_in_parts('HSET', k'missing', seed.missing)
  reuse(seed.reused, first_result)
  for _, part in ipairs(seed.ready) do
    local states = {}
    for i, task in ipairs(part[2]) do states[2 * i - 1], states[2 * i] = task, 'queued' end
    call_in_parts('HSET', k'state', states)
    total = total + #part[2]
  end
  redis.call('HSET', k'meta', 'active', total, 'done', seed.done)
  redis.call('ZADD', 'wfnb:active', now, meta[6])
  redis.call('ZADD', 'wfnb:runs', now, meta[6])
  tell('"opened":' .. generation)
  if #seed.reused > 0 then tell('"reused":' .. cjson.encode(seed.reused)) end
  for _, part in ipairs(seed.ready) do push(part[1], part[2], graph) end
  if total == 0 then count_active(0) end
end
