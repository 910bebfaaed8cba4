-- prelude: what every verb begins with.
-- KEYS[1] is the prefix of the run's keys, "wfnb:{run}:". One server, so further names are made here:
--   meta hash, state hash task -> state, missing hash task -> inputs not done (absent: one),
--   attempts hash task -> last ended attempt, failures, lost hash task -> count,
--   policies hash task -> JSON, queues hash task -> queue if not the default (both: items of a map
--   by their map), expansions hash task that split -> count of items, lanes hash queue -> "limit pool",
--   crew hash "alive:queue" and "asked:queue" -> count, asked hash serial -> "deadline queue",
--   workers hash name -> JSON, names hash label -> name, leases zset identity -> deadline in ms,
--   constants hash content -> 1 of the large values under constant:<content>, seats hash identity -> queue, last_failed hash identity -> "task attempt",
--   claims:<identity> hash task -> attempt, replies hash identity -> last answer,
--   ready:<queue> list of "task" or "task<TAB>its inputs", delayed zset task -> due in ms,
--   values and results hash task -> sealed output or pointer (results: of targets), unread hash
--   task -> readers to come, held hash task -> JSON, errors hash task -> JSON list,
--   events stream, over stream with one entry once the run has ended, wake:<queue> list
local prefix = KEYS[1]
local function k(name) return prefix .. name end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local meta = redis.call('HMGET', k'meta', 'generation', 'status', 'keep', 'queue', 'mixed', 'name')
local generation, status, keep = tonumber(meta[1] or 0), meta[2], tonumber(meta[3] or 60)
local LEASE, LAUNCH, MOST_LOSSES, MOST_EVENTS = 10000, 10000, 3, 100000
local NEVER = -1  -- inputs that a task is said to miss when it may not become ready again

-- Lua's C stack takes about 8,000 values in one call; an even number keeps pairs together.
local function call_in_parts(command, key, list)
  for first = 1, #list, 4000 do
    redis.call(command, key, unpack(list, first, math.min(first + 3999, #list)))
  end
  if #list > 0 then redis.call('EXPIRE', key, keep) end
end

local function get_in_parts(key, list)
  if #list == 0 then return {} end
  if #list <= 4000 then return redis.call('HMGET', key, unpack(list)) end
  local found = {}
  for first = 1, #list, 4000 do
    local part = redis.call('HMGET', key, unpack(list, first, math.min(first + 3999, #list)))
    for i = 1, #part do found[first + i - 1] = part[i] end
  end
  return found
end

local function set(key, ...)
  redis.call('HSET', k(key), ...)
  redis.call('EXPIRE', k(key), keep)
end

local told = {}
local function tell(part) told[#told + 1] = part end

local function tell_pairs(name, list)
  if #list == 0 then return end
  local parts = {}
  for i = 1, #list, 2 do parts[#parts + 1] = '["' .. list[i] .. '",' .. list[i + 1] .. ']' end
  tell('"' .. name .. '":[' .. table.concat(parts, ',') .. ']')
end

local function publish(worker)
  if #told == 0 then return end
  local head = string.format('{"at":%.3f,', now / 1000)
  if worker then head = head .. '"w":' .. cjson.encode(worker) .. ',' end
  redis.call('XADD', k'events', 'MAXLEN', '~', MOST_EVENTS, '*', 'e', head .. table.concat(told, ',') .. '}')
  redis.call('EXPIRE', k'events', keep)
  told = {}
end

local function name_of(identity) return string.match(identity, '^(.*):%d+$') end

local function end_run(how)
  status = how
  redis.call('HSET', k'meta', 'status', how, 'ended', now)
  redis.call('XADD', k'over', '*', 'status', how)
  redis.call('ZREM', 'wfnb:active', meta[6])
  local gone = { k'missing', k'delayed', k'crew', k'asked' }
  for _, queue in ipairs(redis.call('HKEYS', k'lanes')) do
    gone[#gone + 1] = k('ready:' .. queue)
    gone[#gone + 1] = k('wake:' .. queue)
  end
  if how == 'done' then
    gone[#gone + 1] = k'values'
    gone[#gone + 1] = k'unread'
  end
  redis.call('UNLINK', unpack(gone))
  for _, queue in ipairs(redis.call('HKEYS', k'lanes')) do
    if string.sub(queue, 1, 1) == '@' then redis.call('LPUSH', k('wake:' .. queue), '1') end
    redis.call('EXPIRE', k('wake:' .. queue), 60)
  end
  for _, name in ipairs({ 'meta', 'graph', 'plan', 'state', 'results', 'errors', 'events', 'over', 'values',
      'expansions' }) do
    redis.call('EXPIRE', k(name), keep)
  end
  tell('"ended":"' .. how .. '"')
end

-- Queued, running and retrying tasks keep a run going; at none it is over.
local function count_active(change)
  if tonumber(redis.call('HINCRBY', k'meta', 'active', change)) > 0 or status ~= 'running' then return end
  local counts = redis.call('HMGET', k'meta', 'done', 'tasks')
  end_run(tonumber(counts[1] or 0) >= tonumber(counts[2]) and 'done' or 'failed')
end

-- Items go by the queue and the policy of their map, "score-0[3]" by those of "score-0".
local function map_of(task)
  return string.byte(task, -1) == 93 and string.match(task, '^(.*)%[') or task
end

local function queues_of(tasks)
  local found = {}
  if meta[5] == '1' then
    local known_as = {}
    for i = 1, #tasks do known_as[i] = map_of(tasks[i]) end
    found = get_in_parts(k'queues', known_as)
  end
  for i = 1, #tasks do found[i] = found[i] or meta[4] end
  return found
end

local function record_error(task, record)
  local known = redis.call('HGET', k'errors', task)
  set('errors', task, known and string.sub(known, 1, -2) .. ',' .. record .. ']' or '[' .. record .. ']')
end
