-- fail: an attempt ended badly; the task's policy decides whether it gets another.
-- ARGV: identity, generation, task, attempt, message, error record as JSON
-- returns 1, or 0 if the attempt no longer counted
local identity, task, attempt = ARGV[1], ARGV[3], ARGV[4]
local call = task .. ' ' .. attempt
if redis.call('HGET', k'last_failed', identity) == call then return 1 end  -- our own reply was lost
if status ~= 'running' or generation ~= tonumber(ARGV[2]) then return 0 end
if redis.call('HGET', k('claims:' .. identity), task) ~= attempt then return 0 end
if redis.call('HGET', k'state', task) ~= 'running ' .. attempt then return 0 end
end_attempt(identity, task, attempt)
set('last_failed', identity, call)
record_error(task, ARGV[6])
local failures = redis.call('HINCRBY', k'failures', task, 1)
redis.call('EXPIRE', k'failures', keep)
local policy = policy_of(task)
local is_hopeless = cjson.decode(ARGV[6]).kind == 'not-serialisable'  -- it would be again
local is_final = is_hopeless or failures > policy.retries
tell(string.format('"failed":[["%s",%s,%s,%d]]', task, attempt, cjson.encode(ARGV[5]), is_final and 1 or 0))
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
