-- recording: what runs have shown, kept from run to run.
--   wfnb:history:at:<name> list of samples, the latest first, each "group count value ...": a group is
--     a run, or a class of sizes, and count says for how many like it a sample stands,
--   old:<name> hash logarithm of value -> count of the samples that have gone,
--   of:<family> hash rest -> ms of its last use, where a name is "<family>:<rest>", used zset name -> ms
local HISTORY, HISTORY_SECONDS = 'wfnb:history:', 7776000
local MOST_LISTED, MOST_SAMPLES, NEWEST, MOST_RECORDS, MOST_OF_FAMILY = 128, 64, 32, 1000, 24

local function drop_record(name)
  local family, rest = string.match(name, '^([^:]*):(.*)$')
  redis.call('UNLINK', HISTORY .. 'at:' .. name, HISTORY .. 'old:' .. name)
  redis.call('ZREM', HISTORY .. 'used', name)
  redis.call('HDEL', HISTORY .. 'of:' .. family, rest)
end

local function drop_oldest_of(family)
  local rests, oldest, least = redis.call('HGETALL', HISTORY .. 'of:' .. family), nil, nil
  if #rests <= 2 * MOST_OF_FAMILY then return end
  for i = 1, #rests, 2 do
    local at = tonumber(rests[i + 1])
    if not least or at < least or (at == least and rests[i] < oldest) then oldest, least = rests[i], at end
  end
  drop_record(family .. ':' .. oldest)
end

-- Once a worker and run, and when it is new: the others need not.
local function use_record(name)
  local family, rest = string.match(name, '^([^:]*):(.*)$')
  redis.call('HSET', HISTORY .. 'of:' .. family, rest, now)
  redis.call('ZADD', HISTORY .. 'used', now, name)
  for _, key in ipairs({ 'at:' .. name, 'old:' .. name, 'of:' .. family, 'used' }) do
    redis.call('EXPIRE', HISTORY .. key, HISTORY_SECONDS)
  end
  drop_oldest_of(family)
  while redis.call('ZCARD', HISTORY .. 'used') > MOST_RECORDS do
    drop_record(redis.call('ZRANGE', HISTORY .. 'used', 0, 0)[1])
  end
end

-- So many of a group, in order, each standing for as many as any other.
local function thinned(samples, most)
  if #samples <= most then return samples end
  local parts, total, passed, kept = {}, 0, 0, {}
  for i, sample in ipairs(samples) do
    local group, count, rest = string.match(sample, '^(%S+) (%S+) (.*)$')
    parts[i] = { group, tonumber(count), rest }
    total = total + parts[i][2]
  end
  local each = total / most
  local due = each / 2
  for _, part in ipairs(parts) do
    local times = 0
    passed = passed + part[2]
    while passed > due do
      times = times + 1
      due = due + each
    end
    if times > 0 then kept[#kept + 1] = string.format('%s %.6g %s', part[1], each * times, part[3]) end
  end
  return kept
end

-- Half of the room is the latest group's, half of that its predecessor's; what one leaves is the next's.
local function compact(name)
  local key, groups, order, kept, gone = HISTORY .. 'at:' .. name, {}, {}, {}, {}
  for _, sample in ipairs(redis.call('LRANGE', key, 0, -1)) do
    local group = string.match(sample, '^%S+')
    if not groups[group] then
      groups[group] = {}
      order[#order + 1] = group
    end
    table.insert(groups[group], sample)
  end
  local share, room = NEWEST, 0
  for _, group in ipairs(order) do
    room = room + share
    share = math.max(1, math.floor(share / 2))
    local left = math.min(room, MOST_SAMPLES - #kept)
    if left <= 0 then
      for _, sample in ipairs(groups[group]) do gone[#gone + 1] = sample end
    else
      local some = thinned(groups[group], left)
      for _, sample in ipairs(some) do kept[#kept + 1] = sample end
      room = room - #some
    end
  end
  redis.call('UNLINK', key)
  redis.call('RPUSH', key, unpack(kept))
  redis.call('EXPIRE', key, HISTORY_SECONDS)
  for _, sample in ipairs(gone) do
    local count, value = string.match(sample, '^%S+ (%S+) (%S+)')
    local bucket = math.floor(8 * math.log(math.min(math.max(tonumber(value), 1e-7), 1e7)))
    redis.call('HINCRBYFLOAT', HISTORY .. 'old:' .. name, bucket, count)
  end
  if #gone > 0 then redis.call('EXPIRE', HISTORY .. 'old:' .. name, HISTORY_SECONDS) end
end

-- parts: {name, samples, 1 if it is the first of this worker in this run}
local function learn(parts)
  for _, part in ipairs(parts) do
    local name, samples = part[1], part[2]
    local length = redis.call('LPUSH', HISTORY .. 'at:' .. name, unpack(samples))
    if part[3] == 1 or length == #samples then use_record(name) end
    if length > MOST_LISTED then compact(name) end
  end
end
