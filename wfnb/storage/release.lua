-- release: give claimed tasks back untouched.
-- ARGV: identity, generation, then task, attempt, ...
local identity, back, returned = ARGV[1], {}, {}
if status ~= 'running' or generation ~= tonumber(ARGV[2]) then return 0 end
for i = 3, #ARGV, 2 do
  local task, attempt = ARGV[i], ARGV[i + 1]
  if redis.call('HGET', k('claims:' .. identity), task) == attempt then
    end_attempt(identity, task, attempt)
    back[#back + 1] = task
    returned[#returned + 1], returned[#returned + 2] = task, attempt
  end
end
enqueue(back)
tell_pairs('returned', returned)
publish(name_of(identity))
return #back
