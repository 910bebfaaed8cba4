-- losing: attempts that ended without a result, and workers that ended without a word. Needs handing.

local READS_NO_MORE = { done = true, expanded = true, skipped = true, reused = true }

local function policy_of(task)
  local policy = redis.call('HGET', k'policies', map_of(task))
  return policy and cjson.decode(policy) or { retries = 0, delay = 0, lost = 'retry' }
end

local function end_attempt(identity, task, attempt)
  redis.call('HDEL', k('claims:' .. identity), task)
  set('attempts', task, attempt)
end

local function give_up_task(task)
  set('state', task, 'failed')
  set('missing', task, NEVER)
  redis.call('HINCRBY', k'meta', 'failed', 1)
end

-- A lost attempt is not the task's failure, but a task that loses one worker after another is poison.
local function must_give_up(task)
  local losses = redis.call('HINCRBY', k'lost', task, 1)
  redis.call('EXPIRE', k'lost', keep)
  return losses >= MOST_LOSSES or policy_of(task).lost == 'fail'
end

-- True if the task may not be tried again. An error record for any task is made one for this.
local function blame(identity, task, attempt, record)
  local words = cjson.decode(record)
  if words.task == '$TASK$' then
    words.task, words.attempt, words.worker = task, tonumber(attempt), name_of(identity)
    words.at_seconds = now / 1000
    record = cjson.encode(words)
  end
  record_error(task, record)
  return must_give_up(task)
end

-- The worker died in a task that it became and never claimed: still waiting, for all we know.
local function blame_unclaimed(identity, record, failed)
  local words = cjson.decode(record)
  local task, attempt = words.task, words.attempt
  if redis.call('HEXISTS', k'state', task) == 1 then return end
  if blame(identity, task, attempt, record) then
    failed[#failed + 1] = { task, attempt }
  else
    -- Not claimed, it has used up no number: who becomes it the next time says the same.
    local log = k('log:' .. task .. ':' .. attempt)
    redis.call('UNLINK', log, log .. ':tail', log .. ':size')
  end
end

-- Claims of a lost worker: those that were executing are blamed, the others go back uncounted.
local function lose_claims(identity, record, blamed)
  local claims = redis.call('HGETALL', k('claims:' .. identity))
  local back, returned, failed, given_up = {}, {}, {}, 0
  for i = 1, #claims, 2 do
    local task, attempt = claims[i], claims[i + 1]
    end_attempt(identity, task, attempt)
    if (blamed == '*' or blamed == task) and blame(identity, task, attempt, record) then
      failed[#failed + 1] = { task, attempt }
      given_up = given_up + 1
    else
      back[#back + 1] = task
      returned[#returned + 1], returned[#returned + 2] = task, attempt
    end
  end
  if blamed ~= '*' and blamed ~= '' then blame_unclaimed(identity, record, failed) end
  for i, lost in ipairs(failed) do
    give_up_task(lost[1])
    failed[i] = string.format('["%s",%s,"its worker was lost",1]', lost[1], lost[2])
  end
  if #failed > 0 then tell('"failed":[' .. table.concat(failed, ',') .. ']') end
  tell_pairs('returned', returned)
  return back, given_up
end

local function lost_outputs(identity)
  local lost, held = {}, redis.call('HGETALL', k'held')
  for i = 1, #held, 2 do
    local about = cjson.decode(held[i + 1])
    if about.identity == identity then lost[held[i]] = about end
  end
  return lost
end

-- Lineage: outputs that only this worker held are computed again; their readers wait once more.
local function restore_held(identity, back)
  local lost, again, order, active = lost_outputs(identity), {}, {}, 0
  for task, about in pairs(lost) do
    redis.call('HDEL', k'held', task)
    redis.call('HDEL', k'unread', task)
    set('attempts', task, about.attempt)
    order[#order + 1] = task
    active = active + 1
    for _, reader in ipairs(about.readers) do
      again[reader] = (again[reader] or 0) + 1
      if READS_NO_MORE[redis.call('HGET', k'state', reader)] then redis.call('HINCRBY', k'unread', task, -1) end
    end
    redis.call('EXPIRE', k'unread', keep)
  end
  if #order > 0 then redis.call('HINCRBY', k'meta', 'done', -#order) end
  local is_back = {}
  for _, task in ipairs(back) do is_back[task] = true end
  for reader, count in pairs(again) do
    local state = redis.call('HGET', k'state', reader)
    if not state or state == 'waiting' then
      set('missing', reader, count + (redis.call('HGET', k'missing', reader) or 1))
    elseif lost[reader] or is_back[reader] or state == 'queued' or state == 'retrying' then
      set('missing', reader, count)
      redis.call('HDEL', k'state', reader)
      redis.call('ZREM', k'delayed', reader)
      active = active - 1
    else
      set('missing', reader, NEVER)
    end
  end
  local ready = {}
  for _, list in ipairs({ order, back }) do
    for _, task in ipairs(list) do
      if not again[task] then ready[#ready + 1] = task end
    end
  end
  table.sort(ready)
  return ready, active
end

-- Returns how many tasks came back and how many launches that asked for; 0, 0 if it was gone already.
local function lose(identity, record, blamed)
  if redis.call('ZREM', k'leases', identity) == 0 then return 0, 0 end
  local queue = redis.call('HGET', k'seats', identity)
  redis.call('HDEL', k'seats', identity)
  redis.call('HINCRBY', k'crew', 'alive:' .. queue, -1)
  local back, given_up = lose_claims(identity, record, blamed)
  local ready, active = restore_held(identity, back)
  local launches = enqueue(ready) + launch_missing(queue)
  redis.call('HDEL', k'replies', identity)
  tell('"lost":' .. cjson.encode(cjson.decode(record).message))
  count_active(active - given_up)
  publish(name_of(identity))
  return #ready, launches
end
