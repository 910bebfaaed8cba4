-- join: enter a run for one launch request; each request is met once.
-- ARGV: serial, generation, label, how many tasks to claim at once, seconds since the worker was
--   asked for itself or ''
-- returns identity, generation, queue, then claim's answer if any were wanted; or nothing
local serial, label = ARGV[1], ARGV[3]
local MOST_STARTS, STARTS_SECONDS = 100, 30 * 86400
if status ~= 'running' or generation ~= tonumber(ARGV[2]) then return {} end

local function named()
  local name = redis.call('HGET', k'names', label)
  if name then return name end
  local count = redis.call('HINCRBY', k'meta', 'names', 1)
  while redis.call('HEXISTS', k'lanes', '@w' .. count) == 1 do
    count = redis.call('HINCRBY', k'meta', 'names', 1)
  end
  set('names', label, 'w' .. count)
  return 'w' .. count
end

local function joined(identity, queue)
  local want = tonumber(ARGV[4])
  if want == 0 then return { identity, generation, queue } end
  local ask = { identity = identity, generation = generation, queue = queue, want = want, nonce = 'join',
    prefer = {}, stay = string.sub(queue, 1, 1) == '@' }
  local before = answer_before(ask)
  if not before and is_stale(ask) then return {} end  -- it was given up before it heard of this
  return { identity, generation, queue, before or next_for(ask, {}, {}, {}, {}) }
end

-- Planners learn from it what launches take.
local function note_start(queue, waited)
  local is_cold = (tonumber(ARGV[5]) or waited) < waited and 1 or 0
  tell(string.format('"joined":%s,"waited":%.3f,"cold":%d', cjson.encode(label), waited, is_cold))
  local _, pool = room_of(queue)
  local starts = 'wfnb:starts:' .. pool
  redis.call('LPUSH', starts, string.format('[%.3f,%d,%.3f]', waited, is_cold, now / 1000))
  redis.call('LTRIM', starts, 0, MOST_STARTS - 1)
  redis.call('EXPIRE', starts, STARTS_SECONDS)
end

local asked = redis.call('HGET', k'asked', serial)
if not asked then
  local name = redis.call('HGET', k'joined', serial)
  local known = name and cjson.decode(redis.call('HGET', k'workers', name))
  if not known or known.serial ~= serial or known.label ~= label then return {} end
  return joined(known.identity, known.queue)  -- our own reply was lost
end
local due, queue = string.match(asked, '^(%d+) (.*)$')
local name = string.sub(queue, 1, 1) == '@' and string.sub(queue, 2) or named()
local identity = string.format('%s:%d', name, redis.call('HINCRBY', k'meta', 'joins', 1))
local about = { serial = serial, label = label, identity = identity, queue = queue, at = now / 1000 }
redis.call('HDEL', k'asked', serial)
set('joined', serial, name)
set('workers', name, cjson.encode(about))
redis.call('ZADD', k'leases', now + LEASE, identity)
redis.call('EXPIRE', k'leases', keep)
set('seats', identity, queue)
redis.call('HINCRBY', k'crew', 'asked:' .. queue, -1)
redis.call('HINCRBY', k'crew', 'alive:' .. queue, 1)
note_start(queue, (now - due + LAUNCH) / 1000)
if ARGV[4] == '0' then publish(name) end
return joined(identity, queue)
