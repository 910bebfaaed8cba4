-- fail: an attempt ended badly; the task's policy decides whether it gets another.
-- ARGV: identity, generation, task, attempt, message, error record as JSON
-- returns 1, or 0 if the attempt no longer counted
local identity, task, attempt = ARGV[1], ARGV[3], ARGV[4]
local GETS_MORE = '; the next attempt gets %.1f MB'
local call = task .. ' ' .. attempt
if redis.call('HGET', k'last_failed', identity) == call then return 1 end  -- our own reply was lost
if status ~= 'running' or generation ~= tonumber(ARGV[2]) then return 0 end
if redis.call('HGET', k('claims:' .. identity), task) ~= attempt then return 0 end
if redis.call('HGET', k'state', task) ~= 'running ' .. attempt then return 0 end
end_attempt(identity, task, attempt)
set('last_failed', identity, call)
local record, message, policy = cjson.decode(ARGV[6]), ARGV[5], policy_of(task)

local function tell_failed(is_final)
  tell(string.format('"failed":[["%s",%s,%s,%d]]', task, attempt, cjson.encode(message), is_final and 1 or 0))
end

-- An attempt that had too little memory is followed by one, uncounted, where there is more.
if record.kind == 'memory' and policy.more and redis.call('HGET', k'seats', identity) ~= policy.more then
  local words = string.format(GETS_MORE, string.match(policy.more, 'cpu%-(%d+)') / 1e6)
  record.message, message = record.message .. words, message .. words
  record_error(task, cjson.encode(record))
  set('queues', map_of(task), policy.more)
  meta[5] = '1'
  set('meta', 'mixed', meta[5])
  tell_failed(false)
  enqueue({ task })
  publish(name_of(identity))
  return 1
end

record_error(task, ARGV[6])
local failures = redis.call('HINCRBY', k'failures', task, 1)
redis.call('EXPIRE', k'failures', keep)
local is_hopeless = record.kind == 'not-serialisable'  -- it would be again
local is_final = is_hopeless or failures > policy.retries
tell_failed(is_final)
if is_final then
  give_up_task(task)
  count_active(-1)
elseif policy.delay > 0 then
  set('state', task, 'retrying')
  redis.call('ZADD', k'delayed', now + 1000 * policy.delay * 2 ^ (failures - 1), task)
  redis.call('EXPIRE', k'delayed', keep)
else
  enqueue({ task })
end
publish(name_of(identity))
return 1
