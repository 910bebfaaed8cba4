-- forget_reusables: drop these, or as many as one call may of all. ARGV: "all", or "some" and them
local going = {}
if ARGV[1] == 'all' then
  going = redis.call('ZRANGE', k'used', 0, MOST_EVICTED - 1)
else
  for i = 2, #ARGV do going[i - 1] = ARGV[i] end
end
local count = 0
for _, fingerprint in ipairs(going) do count = count + forget(fingerprint) end
return { count, ARGV[1] == 'all' and #going or 0 }
