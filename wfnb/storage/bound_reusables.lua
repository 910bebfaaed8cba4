-- bound_reusables: set bounds, and tell those that hold; values expire by the new ones when next
-- used. ARGV: the bound that the server's size makes or 0, most_bytes or '', keep_seconds or ''
local words = { default = ARGV[1] ~= '0' and ARGV[1] or '', most_bytes = ARGV[2], keep_seconds = ARGV[3] }
for name, value in pairs(words) do
  if value ~= '' then redis.call('HSET', k'bounds', name, value) end
end
redis.call('EXPIRE', k'bounds', YEAR)
bounds = redis.call('HMGET', k'bounds', 'most_bytes', 'keep_seconds', 'default')
most = tonumber(bounds[1] or bounds[3] or GIB)
kept = tonumber(bounds[2] or 604800)
make_room(0)
return { tostring(most), tostring(kept) }
