-- crew: the living workers of a run, and what they have claimed.
-- returns generation, then label, identity, queue, claims (task, attempt, ...) of each, by when they joined
local crew, found = {}, { generation }
if status ~= 'running' then return found end
for _, identity in ipairs(redis.call('ZRANGE', k'leases', 0, -1)) do
  crew[#crew + 1] = { tonumber(string.match(identity, ':(%d+)$')), identity }
end
table.sort(crew, function(one, other) return one[1] < other[1] end)
for _, member in ipairs(crew) do
  local identity = member[2]
  found[#found + 1] = cjson.decode(redis.call('HGET', k'workers', name_of(identity))).label
  found[#found + 1] = identity
  found[#found + 1] = redis.call('HGET', k'seats', identity)
  found[#found + 1] = redis.call('HGETALL', k('claims:' .. identity))
end
return found
