-- answering: what a worker is told at the end of claim and complete. Needs handing.
local MOST_LOOKED_AT = 16  -- launch requests, for one of another run

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

-- What a worker is being given: several tasks only if all are of functions that it calls short.
local function new_hand(ask)
  local hand = { entries = {}, is_taken = {}, most = ask.want, are_short = true }
  if type(ask.short) == 'table' then
    hand.short = {}
    for _, name in ipairs(ask.short) do hand.short[name] = true end
  end
  return hand
end

local function fits(hand, task)
  if #hand.entries >= hand.most then return false end
  local is_short = not hand.short or hand.short[string.match(task, '^(.*)%-[^-]*$')]
  if #hand.entries > 0 and not (is_short and hand.are_short) then return false end
  hand.are_short = is_short
  return true
end

local function put(hand, task, entry)
  hand.entries[#hand.entries + 1] = entry
  hand.is_taken[task] = true
end

-- Fill the hand. An entry may be stale, for its task was taken by preference: state decides.
local function pop(queue, hand)
  local key = k('ready:' .. queue)
  while #hand.entries < hand.most and (hand.are_short or #hand.entries == 0) do
    local entries = redis.call('LPOP', key, hand.most - #hand.entries)
    if not entries or #entries == 0 then return end
    entries = still_queued(entries)
    for i, entry in ipairs(entries) do
      local task = string.match(entry, '^[^\t]+')
      if not hand.is_taken[task] then
        if not fits(hand, task) then
          for back = #entries, i, -1 do redis.call('LPUSH', key, entries[back]) end
          redis.call('EXPIRE', key, keep)
          return
        end
        put(hand, task, entry)
      end
    end
  end
end

-- What the worker prefers of fresh and ready tasks, in its order; then the rest of the fresh ones.
local function preferred_first(fresh, prefer)
  if #prefer == 0 then return fresh end
  local is_there, is_listed, list = {}, {}, {}
  for _, task in ipairs(fresh) do is_there[task] = true end
  for _, task in ipairs(still_queued(prefer)) do is_there[task] = true end
  for _, tasks in ipairs({ prefer, fresh }) do
    for _, task in ipairs(tasks) do
      if is_there[task] and not is_listed[task] then list[#list + 1] = task end
      is_listed[task] = true
    end
  end
  return list
end

-- First what the worker prefers, then what became ready in this call, the fresh tasks: of both what
-- this worker may run. Then whatever is ready.
local function hand_out(ask, fresh, hints)
  local tasks = preferred_first(fresh, ask.prefer)
  local hand, others, is_fresh, queues = new_hand(ask), {}, {}, queues_of(tasks)
  for _, task in ipairs(fresh) do is_fresh[task] = true end
  for i, task in ipairs(tasks) do
    if queues[i] == ask.queue and fits(hand, task) then
      put(hand, task, hints[task] and task .. '\t' .. hints[task] or task)
    elseif is_fresh[task] then
      others[#others + 1] = task
    end
  end
  enqueue(others, hints)
  pop(ask.queue, hand)
  return take(ask, hand.entries)
end

-- Runs share a pool in turns: a tired worker takes nothing more if another run has asked for one.
-- That request comes to the head of the launch list, for the one that will be idle.
local function make_way(ask)
  if not ask.tired or string.sub(ask.queue, 1, 1) == '@' then return end
  local _, pool = room_of(ask.queue)
  local list = 'wfnb:pool:' .. pool
  for at, request in ipairs(redis.call('LRANGE', list, 0, MOST_LOOKED_AT - 1)) do
    if string.match(request, '^[^\n]*') ~= meta[6] then
      for _ = 2, at do redis.call('LMOVE', list, list, 'LEFT', 'RIGHT') end
      ask.want = 0
      return
    end
  end
end

local function next_for(ask, fresh, hints, refused, dropped)
  local claims, inputs = {}, {}
  if status == 'running' then
    make_way(ask)
    claims, inputs = hand_out(ask, fresh, hints)
  end
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
