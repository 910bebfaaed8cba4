-- reusing: values kept for reuse, under the prefix "wfnb:reuse:" instead of a run's. No run is
-- named so: `status` and `keep` of the prelude mean nothing here.
--   used zset fingerprint -> last use in ms, uses hash fingerprint -> count,
--   found hash fingerprint -> what is told of it, about hash fingerprint -> JSON with made in ms,
--   sizes hash fingerprint -> "bytes chunks name", total string, bytes of all,
--   value:<name>:<n> the chunks, which expire by themselves,
--   bounds hash: most_bytes and keep_seconds as set, default, most_bytes as the server's size makes it
local GIB, PINNED, MOST_EVICTED, YEAR = 1073741824, 3600000, 1000, 31536000
local bounds = redis.call('HMGET', k'bounds', 'most_bytes', 'keep_seconds', 'default')
local most = tonumber(bounds[1] or bounds[3] or GIB)
local kept = math.max(1, math.floor(tonumber(bounds[2] or 604800)))

local function chunk_names(name, count)
  local names = {}
  for i = 0, count - 1 do names[i + 1] = k('value:' .. name .. ':' .. i) end
  return names
end

local function unlink(names)
  for first = 1, #names, 4000 do
    redis.call('UNLINK', unpack(names, first, math.min(first + 3999, #names)))
  end
end

local function size_of(fingerprint)
  local bytes, chunks, name = string.match(redis.call('HGET', k'sizes', fingerprint) or '0 0 ', '^(%d+) (%d+) (.*)$')
  return tonumber(bytes), tonumber(chunks), name
end

local function forget(fingerprint)
  if redis.call('ZREM', k'used', fingerprint) == 0 then return 0 end
  local bytes, chunks, name = size_of(fingerprint)
  unlink(chunk_names(name, chunks))
  for _, hash in ipairs({ 'uses', 'found', 'about', 'sizes' }) do redis.call('HDEL', k(hash), fingerprint) end
  if redis.call('DECRBY', k'total', bytes) <= 0 then redis.call('UNLINK', k'total') end
  return 1
end

-- Entries outlive their values by nothing: the index as a whole expires when the last value does.
local function touch_index()
  for _, name in ipairs({ 'used', 'uses', 'found', 'about', 'sizes', 'total' }) do
    redis.call('EXPIRE', k(name), kept)
  end
  redis.call('EXPIRE', k'bounds', YEAR)
end

local function use(fingerprint)
  local _, chunks, name = size_of(fingerprint)
  local names = chunk_names(name, chunks)
  for _, key in ipairs(names) do
    if redis.call('EXPIRE', key, kept) == 0 then
      forget(fingerprint)
      return false
    end
  end
  redis.call('ZADD', k'used', now, fingerprint)
  return true
end

local function sweep()
  local old = redis.call('ZRANGEBYSCORE', k'used', '-inf', now - kept * 1000, 'LIMIT', 0, MOST_EVICTED)
  for _, fingerprint in ipairs(old) do forget(fingerprint) end
end

-- Whether so many bytes fit in, once the least recently used have gone. Nothing goes in vain.
local function make_room(bytes)
  local over = tonumber(redis.call('GET', k'total') or 0) + bytes - most
  if over <= 0 then return true end
  local oldest = redis.call('ZRANGEBYSCORE', k'used', '-inf', now - PINNED, 'LIMIT', 0, MOST_EVICTED)
  local going = 0
  while over > 0 and going < #oldest do
    going = going + 1
    over = over - size_of(oldest[going])
  end
  if over > 0 and going < MOST_EVICTED then return false end
  for i = 1, going do forget(oldest[i]) end
  return over <= 0
end
