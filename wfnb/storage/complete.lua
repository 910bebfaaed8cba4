-- complete: take in finished tasks, count down their readers, hand out the next.
-- ARGV: ask as JSON, finished as JSON {items, hints}, then each item's result, '' for none
--   item: [task, attempt, became, held, target, unread, [readers], [reads], note]
-- returns status, claims (task, attempt, ...), inputs (task, bytes, ...), refused, dropped
local ask, work = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local before = answer_before(ask)
if before then return before end
if is_stale(ask) then return { 'stop', {}, {}, {}, {} } end

local items, refused, dropped, fresh, is_fresh = work.items, {}, {}, {}, {}
local missing, touched = {}, {}
local states, outputs, targets, ended, notes, reads, unread = {}, {}, {}, {}, {}, {}, {}
local done, active, is_taken = 0, 0, {}

local function read_missing()
  local seen = {}
  for _, item in ipairs(items) do
    for _, reader in ipairs(item[7]) do
      if not seen[reader] then touched[#touched + 1] = reader end
      seen[reader] = true
    end
  end
  local found = get_in_parts(k'missing', touched)
  for i, reader in ipairs(touched) do missing[reader] = tonumber(found[i] or 1) end
end

local function count_down(readers)
  for _, reader in ipairs(readers) do
    missing[reader] = missing[reader] - 1
    if missing[reader] == 0 then
      fresh[#fresh + 1] = reader
      is_fresh[reader] = true
    end
  end
end

local function keep_output(item, result)
  if item[4] == 1 then
    local held = { identity = ask.identity, attempt = item[2], readers = item[7], reads = item[8] }
    set('held', item[1], cjson.encode(held))
  elseif result ~= '' then
    local into = item[5] == 1 and targets or outputs
    into[#into + 1], into[#into + 2] = item[1], result
    keep_chunks(result)
  end
  if item[6] > 0 then
    -- Made again, it may have lost readers that are done: they stand there as a negative count.
    local read_before = item[2] > 1 and redis.call('HGET', k'unread', item[1]) or 0
    unread[#unread + 1], unread[#unread + 2] = item[1], item[6] + read_before
  end
end

local function accept(item, result)
  states[#states + 1], states[#states + 2] = item[1], item[4] == 1 and 'held' or 'done'
  done = done + 1
  is_taken[item[1]] = true
  if item[3] == 1 then is_fresh[item[1]] = nil else
    ended[#ended + 1] = item[1]
    active = active - 1
  end
  notes[#notes + 1] = item[9]
  if item[4] == 0 then reads[#reads + 1] = item[8] end
  keep_output(item, result)
  count_down(item[7])
end

local function counts(item, state)
  if is_taken[item[1]] then return false end
  if item[3] == 1 then
    return is_fresh[item[1]] and redis.call('HEXISTS', k'attempts', item[1]) == 0
  end
  return state == 'running ' .. item[2]
end

local function write_back()
  local left, zero = {}, {}
  for _, reader in ipairs(touched) do
    if missing[reader] == 0 then zero[#zero + 1] = reader else
      left[#left + 1], left[#left + 2] = reader, missing[reader]
    end
  end
  call_in_parts('HSET', k'missing', left)
  call_in_parts('HDEL', k'missing', zero)
  call_in_parts('HSET', k'state', states)
  call_in_parts('HSET', k'values', outputs)
  call_in_parts('HSET', k'results', targets)
  call_in_parts('HSET', k'unread', unread)
  call_in_parts('HDEL', k('claims:' .. ask.identity), ended)
end

read_missing()
local tasks, found = {}, {}
for i, item in ipairs(items) do tasks[i] = item[1] end
found = get_in_parts(k'state', tasks)
for i, item in ipairs(items) do
  if counts(item, found[i]) then accept(item, ARGV[i + 2]) else refused[#refused + 1] = item[1] end
end
write_back()
local ready = {}
for _, task in ipairs(fresh) do
  if is_fresh[task] then ready[#ready + 1] = task end
end
if #notes > 0 then tell('"done":[' .. table.concat(notes, ',') .. ']') end
redis.call('HINCRBY', k'meta', 'done', done)
for _, inputs in ipairs(reads) do drop_read(inputs, dropped) end
count_active(active + #ready)
return next_for(ask, ready, work.hints, refused, dropped)
