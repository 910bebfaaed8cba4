-- keep_reusable: keep a value whose chunks were put, or say beforehand whether it would be.
-- ARGV: fingerprint, bytes, chunks, name, found, about without its end, "ask" or "keep"
-- Answers 1 if it is kept now, 2 if it or its like was already, 0 if not.
local fingerprint, bytes, chunks, name = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local is_asking = ARGV[7] == 'ask'
sweep()
local known_as = redis.call('HGET', k'sizes', fingerprint)
if known_as and use(fingerprint) then
  if not is_asking and string.match(known_as, '%S+$') ~= name then unlink(chunk_names(name, chunks)) end
  touch_index()
  return 2
end
if bytes * 4 > most or not make_room(bytes) then
  if not is_asking then unlink(chunk_names(name, chunks)) end
  return 0
end
if is_asking then return 1 end
for _, key in ipairs(chunk_names(name, chunks)) do
  if redis.call('EXPIRE', key, kept) == 0 then
    unlink(chunk_names(name, chunks))
    return 0
  end
end
redis.call('ZADD', k'used', now, fingerprint)
redis.call('HSET', k'uses', fingerprint, 0)
redis.call('HSET', k'found', fingerprint, ARGV[5])
redis.call('HSET', k'about', fingerprint, ARGV[6] .. ',"made":' .. now .. '}')
redis.call('HSET', k'sizes', fingerprint, bytes .. ' ' .. chunks .. ' ' .. name)
redis.call('INCRBY', k'total', bytes)
touch_index()
return 1
