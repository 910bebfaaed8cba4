-- expand: take in a task that split iterables, and make its maps' items.
-- ARGV: ask as JSON, work as JSON {task, attempt, target, unread, reads, note, count, maps, hint, hints},
--   the task's own result or '', then each element
-- returns status, claims (task, attempt, ...), inputs (task, bytes, ...), refused, dropped
local ask, work = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local before = answer_before(ask)
if before then return before end
if is_stale(ask) then return { 'stop', {}, {}, {}, {} } end
local splitter, count, claims = work.task, work.count, k('claims:' .. ask.identity)
if redis.call('HGET', claims, splitter) ~= tostring(work.attempt) then
  return next_for(ask, {}, {}, { splitter }, {})
end

local function end_splitter(result)
  redis.call('HDEL', claims, splitter)  -- first, for at maxmemory a script may write on only after that
  set('state', splitter, 'expanded')
  set('expansions', splitter, count)
  if result ~= '' then
    set(work.target == 1 and 'results' or 'values', splitter, result)
    keep_chunks(result)
  end
  if work.unread > 0 then set('unread', splitter, work.unread) end
  redis.call('HINCRBY', k'meta', 'done', 1)
  redis.call('HINCRBY', k'meta', 'tasks', count * #work.maps)
  if work.note ~= '' then tell('"expanded":[[' .. work.note .. ',' .. count .. ']]') end
end

-- Those of the first map are ready, each with what it reads: the first ones for this worker, the
-- others in their queue. Of the other maps' items nothing need be written: they miss one input.
local function make_items()
  local values, unread, entries, states, fresh, hints = {}, {}, {}, {}, {}, work.hints
  local first, also = work.maps[1], work.hint ~= '' and ' ' .. work.hint or ''
  for i = count, 1, -1 do  -- as they are pushed
    local number, element = '[' .. i - 1 .. ']', ARGV[i + 3]
    local name, item = splitter .. number, first .. number
    values[#values + 1], values[#values + 2] = name, element
    if string.byte(element) == 123 then  -- a pointer's brace
      unread[#unread + 1], unread[#unread + 2] = name, 1
      keep_chunks(element)
    end
    if i <= ask.want then fresh[i], hints[item] = item, name .. also else
      entries[#entries + 1] = item .. '\t' .. name .. also
      states[#states + 1], states[#states + 2] = item, 'queued'
    end
  end
  call_in_parts('HSET', k'values', values)
  call_in_parts('HSET', k'unread', unread)
  call_in_parts('HSET', k'state', states)
  if #entries > 0 then push_last_first(queues_of({ first })[1], entries) end
  return fresh, hints
end

-- A map that is settled already, in a run that was resumed, stays so.
local function waiting_maps()
  local waiting, states = {}, get_in_parts(k'state', work.maps)
  for i, map in ipairs(work.maps) do
    if not states[i] then waiting[#waiting + 1] = map end
  end
  return waiting
end

local function count_items()
  local waiting, missing = waiting_maps(), {}
  if count == 0 then return waiting end
  for _, map in ipairs(waiting) do
    missing[#missing + 1], missing[#missing + 2] = map, count
  end
  call_in_parts('HSET', k'missing', missing)
end

local dropped = {}
end_splitter(ARGV[3])
local gathers, fresh, hints = count_items(), make_items()
drop_read(work.reads, dropped)
learn(work.learned)
count_active((gathers and #gathers or count) - 1)
return next_for(ask, gathers or fresh, hints, {}, dropped)
