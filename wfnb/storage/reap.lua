-- reap: give up workers whose lease ran out, queue retries that are due, repeat launches that got lost.
-- ARGV: error record as JSON, in which $TASK$ stands for the task
-- returns workers, tasks, launches, milliseconds until the next retry or -1
if not status then redis.call('ZREM', 'wfnb:active', string.match(prefix, '^wfnb:(.*):$')) end
if status ~= 'running' then return { 0, 0, 0, -1 } end
local workers, tasks, launches = 0, 0, 0
for _, identity in ipairs(redis.call('ZRANGEBYSCORE', k'leases', '-inf', now)) do
  if status == 'running' then
    local back, asked = lose(identity, ARGV[1], '*')
    workers, tasks, launches = workers + 1, tasks + back, launches + asked
  end
end
if status ~= 'running' then return { workers, tasks, launches, -1 } end

local due = redis.call('ZRANGEBYSCORE', k'delayed', '-inf', now)
for first = 1, #due, 4000 do
  redis.call('ZREM', k'delayed', unpack(due, first, math.min(first + 3999, #due)))
end
launches = launches + enqueue(due)

local asked = redis.call('HGETALL', k'asked')
for i = 1, #asked, 2 do
  local deadline, queue = string.match(asked[i + 1], '^(%d+) (.*)$')
  if tonumber(deadline) < now then
    redis.call('HDEL', k'asked', asked[i])
    redis.call('HINCRBY', k'crew', 'asked:' .. queue, -1)
  end
end
for _, queue in ipairs(redis.call('HKEYS', k'lanes')) do
  launches = launches + launch_missing(queue)
end
local following = redis.call('ZRANGE', k'delayed', 0, 0, 'WITHSCORES')
return { workers, tasks, launches, following[2] and math.max(0, math.ceil(following[2] - now)) or -1 }
