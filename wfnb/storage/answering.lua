-- answering: what a worker is told at the end of claim and complete. Needs handing.

local function is_stale(ask)
  return status ~= 'running' or generation ~= ask.generation
    or not redis.call('ZSCORE', k'leases', ask.identity)
end

-- The answer to this very call, if it was given before and its reply got lost. The nonce stands in
-- front, so that the rest is only unpacked when it is wanted.
local function answer_before(ask)
  local last = redis.call('HGET', k'replies', ask.identity)
  local head = ask.nonce .. ' '
  if not last or string.sub(last, 1, #head) ~= head then return nil end
  last = cmsgpack.unpack(string.sub(last, #head + 1))
  return { last.status, last.claims, {}, last.refused, last.dropped }
end

local function answer(ask, how, claims, hints, refused, dropped)
  local last = { status = how, claims = claims, refused = refused, dropped = dropped }
  set('replies', ask.identity, ask.nonce .. ' ' .. cmsgpack.pack(last))
  return { how, claims, inputs_of(hints), refused, dropped }
end

-- What only this worker holds would be lost if it left.
local function holds(identity)
  for _, held in ipairs(redis.call('HVALS', k'held')) do
    if cjson.decode(held).identity == identity then return true end
  end
  return false
end

local function leave(ask)
  redis.call('ZREM', k'leases', ask.identity)
  redis.call('HDEL', k'seats', ask.identity)
  redis.call('HINCRBY', k'crew', 'alive:' .. ask.queue, -1)
  tell('"left":1')
  if ask.want == 0 then launch_missing(ask.queue) end
end

-- What the worker prefers comes first, the rest in the order in which it became ready.
local function preferred_first(fresh, prefer)
  if #prefer == 0 then return fresh end
  local is_preferred, first, rest = {}, {}, {}
  for _, task in ipairs(prefer) do is_preferred[task] = true end
  for _, task in ipairs(fresh) do table.insert(is_preferred[task] and first or rest, task) end
  for _, task in ipairs(rest) do first[#first + 1] = task end
  return first
end

-- Fresh tasks became ready in this call; ones this worker may run are its own first. Then come what
-- it prefers of the ready, and whatever is ready, up to a fair share.
local function hand_out(ask, fresh, hints)
  fresh = preferred_first(fresh, ask.prefer)
  local own, others, mine, is_mine, queues = {}, {}, {}, {}, queues_of(fresh)
  for i, task in ipairs(fresh) do
    if queues[i] == ask.queue then own[#own + 1] = task end
  end
  local most = math.min(ask.want, share_of(ask.queue, #own))
  for i = 1, math.min(most, #own) do
    local task = own[i]
    mine[i], is_mine[task] = hints[task] and task .. '\t' .. hints[task] or task, true
  end
  for _, task in ipairs(fresh) do
    if not is_mine[task] then others[#others + 1] = task end
  end
  enqueue(others, hints)
  local preferred = still_queued(ask.prefer)
  queues = queues_of(preferred)
  for i, task in ipairs(preferred) do
    if #mine < ask.want and queues[i] == ask.queue and not is_mine[task] then mine[#mine + 1] = task end
    is_mine[task] = true
  end
  pop(ask.queue, most, mine, is_mine)
  return take(ask, mine)
end

local function next_for(ask, fresh, hints, refused, dropped)
  local claims, inputs = {}, {}
  if status == 'running' then claims, inputs = hand_out(ask, fresh, hints) end
  tell_pairs('claimed', claims)
  local how = 'go'
  if status ~= 'running' then
    how = 'stop'
  elseif #claims == 0 and redis.call('EXISTS', k('claims:' .. ask.identity)) == 0 then
    how = (ask.stay or holds(ask.identity)) and 'wait' or 'left'
    if how == 'left' then leave(ask) end
  end
  publish(name_of(ask.identity))
  return answer(ask, how, claims, inputs, refused, dropped)
end
