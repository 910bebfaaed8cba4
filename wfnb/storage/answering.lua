-- answering: what a worker is told at the end of claim and complete. Needs handing.

local function is_stale(ask)
  return status ~= 'running' or generation ~= ask.generation
    or not redis.call('ZSCORE', k'leases', ask.identity)
end

-- The answer to this very call, if it was given before and its reply got lost.
local function answer_before(ask)
  local last = redis.call('HGET', k'replies', ask.identity)
  if not last then return nil end
  last = cjson.decode(last)
  if last.nonce ~= ask.nonce then return nil end
  return { last.status, last.claims, {}, last.refused, last.dropped }
end

local function answer(ask, how, claims, hints, refused, dropped)
  local last = { nonce = ask.nonce, status = how, claims = claims, refused = refused, dropped = dropped }
  set('replies', ask.identity, cjson.encode(last))
  return { how, claims, inputs_of(hints), refused, dropped }
end

local function leave(ask)
  redis.call('ZREM', k'leases', ask.identity)
  redis.call('HINCRBY', k'crew', 'alive:' .. ask.queue, -1)
  tell('"left":1')
end

-- Fresh tasks became ready in this call; ones this worker may run are its own first.
local function hand_out(ask, fresh, hints)
  local mine, others, queues = {}, {}, queues_of(fresh)
  for i, task in ipairs(fresh) do
    if #mine < ask.want and queues[i] == ask.queue then
      mine[#mine + 1] = hints[task] and task .. '\t' .. hints[task] or task
    else
      others[#others + 1] = task
    end
  end
  enqueue(others, hints)
  if #mine < ask.want and #ask.prefer > 0 then
    for _, task in ipairs(still_queued(ask.prefer)) do
      if #mine < ask.want then mine[#mine + 1] = task end
    end
  end
  if #mine == 0 then mine = pop(ask.queue, ask.want) end
  return take(ask, mine)
end

local function next_for(ask, fresh, hints, refused, dropped)
  local claims, inputs = {}, {}
  if status == 'running' and ask.want > 0 then claims, inputs = hand_out(ask, fresh, hints) end
  tell_pairs('claimed', claims)
  local how = 'go'
  if status ~= 'running' then
    how = 'stop'
  elseif #claims == 0 and redis.call('EXISTS', k('claims:' .. ask.identity)) == 0 then
    how = ask.stay and 'wait' or 'left'
    if how == 'left' then leave(ask) end
  end
  publish(name_of(ask.identity))
  return answer(ask, how, claims, inputs, refused, dropped)
end
