-- losing: attempts that ended without a result, and workers that ended without a word. Needs handing.

local function policy_of(task)
  local policy = redis.call('HGET', k'policies', task)
  return policy and cjson.decode(policy) or { retries = 0, delay = 0, lost = 'retry' }
end

local function end_attempt(identity, task, attempt)
  redis.call('HDEL', k('claims:' .. identity), task)
  set('attempts', task, attempt)
end

local function give_up_task(task)
  set('state', task, 'failed')
  redis.call('HINCRBY', k'meta', 'failed', 1)
end

-- A lost attempt is not the task's failure, but a task that loses one worker after another is poison.
local function must_give_up(task)
  local losses = redis.call('HINCRBY', k'lost', task, 1)
  redis.call('EXPIRE', k'lost', keep)
  return losses >= MOST_LOSSES or policy_of(task).lost == 'fail'
end

-- Claims of a lost worker: those that were executing are blamed, the others go back uncounted.
local function lose_claims(identity, record, blamed)
  local claims = redis.call('HGETALL', k('claims:' .. identity))
  local back, returned, given_up = {}, {}, 0
  for i = 1, #claims, 2 do
    local task, attempt = claims[i], claims[i + 1]
    end_attempt(identity, task, attempt)
    local is_blamed = blamed == '*' or blamed == task
    if is_blamed then record_error(task, (string.gsub(record, '%$TASK%$', task))) end
    if is_blamed and must_give_up(task) then
      give_up_task(task)
      given_up = given_up + 1
      tell(string.format('"failed":[["%s",%s,"its worker was lost",1]]', task, attempt))
    else
      back[#back + 1] = task
      returned[#returned + 1], returned[#returned + 2] = task, attempt
    end
  end
  tell_pairs('returned', returned)
  return back, given_up
end

local function lost_outputs(identity)
  local lost, held = {}, redis.call('HGETALL', k'held')
  for i = 1, #held, 2 do
    local about = cjson.decode(held[i + 1])
    if about.identity == identity then lost[held[i]] = about.readers end
  end
  return lost
end

-- Lineage: outputs that only this worker held are computed again; their readers wait once more.
local function restore_held(identity, back)
  local lost, again, order, active = lost_outputs(identity), {}, {}, 0
  for task, readers in pairs(lost) do
    redis.call('HDEL', k'held', task)
    redis.call('HDEL', k'unread', task)
    order[#order + 1] = task
    active = active + 1
    for _, reader in ipairs(readers) do again[reader] = (again[reader] or 0) + 1 end
  end
  redis.call('HINCRBY', k'meta', 'done', -#order)
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
  local about = redis.call('HGET', k'workers', name_of(identity))
  redis.call('HINCRBY', k'crew', 'alive:' .. cjson.decode(about).queue, -1)
  local back, given_up = lose_claims(identity, record, blamed)
  local ready, active = restore_held(identity, back)
  local launches = enqueue(ready)
  redis.call('HDEL', k'replies', identity)
  tell('"lost":' .. cjson.encode(cjson.decode(record).message))
  count_active(active - given_up)
  publish(name_of(identity))
  return #ready, launches
end
