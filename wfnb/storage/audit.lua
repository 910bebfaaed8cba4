-- audit: recount what decides when a run ends, and put it right.
-- returns name, difference, ... of the counters that were wrong
if status ~= 'running' then return {} end
local real, wrong = { active = 0, done = 0, failed = 0 }, {}
local DONE = { done = true, held = true, expanded = true, skipped = true, reused = true }
local states = redis.call('HGETALL', k'state')
for i = 2, #states, 2 do
  local state = string.match(states[i], '^%S+')
  local counter = DONE[state] and 'done' or state == 'failed' and 'failed'
  if state == 'queued' or state == 'running' or state == 'retrying' then counter = 'active' end
  if counter then real[counter] = real[counter] + 1 end
end
for counter, value in pairs(real) do
  local difference = value - tonumber(redis.call('HGET', k'meta', counter) or 0)
  if difference ~= 0 then
    wrong[#wrong + 1], wrong[#wrong + 2] = counter, difference
    redis.call('HINCRBY', k'meta', counter, difference)
  end
end
count_active(0)
publish()
return wrong
