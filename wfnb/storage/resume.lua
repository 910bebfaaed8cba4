-- resume: start an ended run again. The seed was made from what the run of that generation left; an
-- ended run does not change, so reading it first is safe as long as the generation is the same.
-- ARGV: generation, done tasks, seed as JSON
-- returns the new generation, or 0
if not status or status == 'running' or generation ~= tonumber(ARGV[1]) then return 0 end
generation = redis.call('HINCRBY', k'meta', 'generation', 1)
status = 'running'
redis.call('UNLINK', k'over', k'leases', k'crew', k'asked', k'delayed', k'failures', k'lost', k'replies',
  k'missing', k'unread', k'held')
redis.call('HSET', k'meta', 'status', status, 'failed', 0, 'done', ARGV[2])
redis.call('HDEL', k'meta', 'ended')
sow(cjson.decode(ARGV[3]), '')
publish()
return generation
