-- handing: ready tasks go to queues, queues to workers, and missing workers are asked for.

local function room_of(queue)
  local lane = redis.call('HGET', k'lanes', queue)
  local limit, pool = string.match(lane, '^(%d+) (.*)$')
  local crew = redis.call('HMGET', k'crew', 'alive:' .. queue, 'asked:' .. queue)
  return tonumber(limit) - (crew[1] or 0) - (crew[2] or 0), pool
end

local function launch(queue, wanted, graph)
  local room, pool = room_of(queue)
  local count = math.min(room, wanted)
  if count <= 0 then return 0 end
  local list = 'wfnb:pool:' .. pool
  for _ = 1, count do
    local serial = redis.call('HINCRBY', k'meta', 'serials', 1)
    set('asked', serial, (now + LAUNCH) .. ' ' .. queue)
    local head = { meta[6], serial, queue, generation, graph or '' }
    redis.call('RPUSH', list, table.concat(head, '\n'))
  end
  redis.call('EXPIRE', list, 86400)
  redis.call('HINCRBY', k'crew', 'asked:' .. queue, count)
  redis.call('EXPIRE', k'crew', keep)
  return count
end

-- As many as there are ready tasks, counting those asked for already.
local function launch_missing(queue)
  local ready = redis.call('LLEN', k('ready:' .. queue))
  if ready == 0 then return 0 end
  return launch(queue, ready - (redis.call('HGET', k'crew', 'asked:' .. queue) or 0))
end

-- New ready tasks go to the head, first one first: depth first keeps what they read near.
local function push_last_first(queue, entries, graph)
  call_in_parts('LPUSH', k('ready:' .. queue), entries)
  if string.sub(queue, 1, 1) == '@' then
    redis.call('LPUSH', k('wake:' .. queue), '1')
    redis.call('LTRIM', k('wake:' .. queue), 0, 0)
    redis.call('EXPIRE', k('wake:' .. queue), keep)
  end
  return launch(queue, #entries, graph)
end

local function push(queue, entries, graph)
  local reversed = {}
  for i = #entries, 1, -1 do reversed[#reversed + 1] = entries[i] end
  return push_last_first(queue, reversed, graph)
end

local function enqueue(tasks, hints)
  if #tasks == 0 then return 0 end
  local queues, entries, order, states = queues_of(tasks), {}, {}, {}
  for i, task in ipairs(tasks) do
    local queue = queues[i]
    if not entries[queue] then
      entries[queue] = {}
      order[#order + 1] = queue
    end
    local hint = hints and hints[task]
    table.insert(entries[queue], hint and task .. '\t' .. hint or task)
    states[#states + 1] = task
    states[#states + 1] = 'queued'
  end
  call_in_parts('HSET', k'state', states)
  local launches = 0
  for _, queue in ipairs(order) do launches = launches + push(queue, entries[queue]) end
  return launches
end

local function still_queued(entries)
  if #entries == 0 then return {} end
  local tasks, kept = {}, {}
  for i, entry in ipairs(entries) do tasks[i] = string.match(entry, '^[^\t]+') end
  local states = get_in_parts(k'state', tasks)
  for i, entry in ipairs(entries) do
    if states[i] == 'queued' then kept[#kept + 1] = entry end
  end
  return kept
end

local function take(ask, entries)
  local tasks, hints, claims, states = {}, {}, {}, {}
  for i, entry in ipairs(entries) do
    tasks[i], hints[i] = string.match(entry, '^([^\t]+)\t?(.*)$')
  end
  local ended = redis.call('EXISTS', k'attempts') == 1 and get_in_parts(k'attempts', tasks) or {}
  for i, task in ipairs(tasks) do
    local attempt = string.format('%d', (ended[i] or 0) + 1)
    claims[2 * i - 1], claims[2 * i] = task, attempt
    states[2 * i - 1], states[2 * i] = task, 'running ' .. attempt
  end
  call_in_parts('HSET', k'state', states)
  call_in_parts('HSET', k('claims:' .. ask.identity), claims)
  return claims, hints
end

-- The inputs that come along with a claim: small outputs and pointers, a mebibyte at most.
local function inputs_of(hints)
  local wanted, known, found, size = {}, {}, {}, 0
  for _, hint in ipairs(hints) do
    for task in string.gmatch(hint, '%S+') do
      if not known[task] then wanted[#wanted + 1] = task end
      known[task] = true
    end
  end
  if #wanted == 0 then return found end
  local values, results = get_in_parts(k'values', wanted), get_in_parts(k'results', wanted)
  for i, task in ipairs(wanted) do
    local value = values[i] or results[i]
    if value and size < 1048576 then
      found[#found + 1], found[#found + 2] = task, value
      size = size + #value
    end
  end
  return found
end
