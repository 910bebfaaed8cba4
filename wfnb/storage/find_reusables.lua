-- find_reusables: what is kept for fingerprints; each that is found counts as used.
-- ARGV: the bound that the server's size makes, or 0 if it is unknown; fingerprints
if tonumber(ARGV[1]) > 0 and bounds[3] ~= ARGV[1] then
  redis.call('HSET', k'bounds', 'default', ARGV[1])
  redis.call('EXPIRE', k'bounds', YEAR)
end
sweep()
local wanted, answer = {}, {}
for i = 2, #ARGV do wanted[i - 1] = ARGV[i] end
for i, found in ipairs(get_in_parts(k'found', wanted)) do
  if found and use(wanted[i]) then
    redis.call('HINCRBY', k'uses', wanted[i], 1)
    answer[#answer + 1] = wanted[i]
    answer[#answer + 1] = found
  end
end
if #answer > 0 then touch_index() end
return answer
