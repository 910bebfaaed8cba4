-- forget_history: drop all records, or the most that one call should.
-- returns how many there were, and 1 if there are more
local names = redis.call('ZRANGE', HISTORY .. 'used', 0, 499)
for _, name in ipairs(names) do drop_record(name) end
return { #names, redis.call('EXISTS', HISTORY .. 'used') }
