-- resume: start an ended run again. The seed was made from what the run of that generation left; an
-- ended run does not change, so reading it first is safe as long as the generation is the same.
-- ARGV: generation, number of tasks or '' if that stays, seed as JSON, a nonce, then each result of
--   what is reused, '' for none
-- returns the new generation, or 0
if status and redis.call('HGET', k'meta', 'resumed_by') == ARGV[4] then return generation end
if not status or status == 'running' or generation ~= tonumber(ARGV[1]) then return 0 end
generation = redis.call('HINCRBY', k'meta', 'generation', 1)
status = 'running'
redis.call('UNLINK', k'over', k'leases', k'seats', k'crew', k'asked', k'delayed', k'failures', k'lost', k'replies',
  k'last_failed', k'missing', k'unread', k'held')
redis.call('HSET', k'meta', 'status', status, 'failed', 0, 'resumed_by', ARGV[4])
if ARGV[2] ~= '' then redis.call('HSET', k'meta', 'tasks', ARGV[2]) end
redis.call('HDEL', k'meta', 'ended')
-- By an attempt, or as if by one: who made again what tried readers read is no first attempt.
local ENDED = { done = true, held = true, expanded = true, skipped = true, reused = true }
local seed = cjson.decode(ARGV[3])
local states = get_in_parts(k'state', seed.forget)
for i, task in ipairs(seed.forget) do
  if ENDED[states[i]] then redis.call('HINCRBY', k'attempts', task, 1) end
end
redis.call('EXPIRE', k'attempts', keep)
call_in_parts('HDEL', k'state', seed.forget)
local settled = {}  -- not to be made ready by inputs that are made again for others
for _, task in ipairs(redis.call('HKEYS', k'state')) do
  settled[#settled + 1], settled[#settled + 2] = task, NEVER
end
call_in_parts('HSET', k'missing', settled)
sow(seed, '', 5)
publish()
return generation
