-- complete: take in finished tasks, count down their readers, hand out the next.
-- ARGV: ask as JSON, finished as JSON {items, hints}, the items' notes one a line, then each item's
--   result, '' for none
--   item: [task, attempt, [readers], became, held, target, unread, [reads], how], zeros at the end left out
-- returns status, claims (task, attempt, ...), inputs (task, bytes, ...), refused, dropped
local ask, work = cjson.decode(ARGV[1]), cjson.decode(ARGV[2])
local before = answer_before(ask)
if before then return before end
if is_stale(ask) then return { 'stop', {}, {}, {}, {} } end

local items, refused, dropped, fresh, is_fresh = work.items, {}, {}, {}, {}
local missing, touched = {}, {}
local states, outputs, targets, ended, notes, reads, unread = {}, {}, {}, {}, {}, {}, {}
local done, active, is_taken = 0, 0, {}
local ATTEMPT, READERS, BECAME, HELD, TARGET, UNREAD, READS, HOW = 2, 3, 4, 5, 6, 7, 8, 9

local function read_missing()
  local seen = {}
  for _, item in ipairs(items) do
    for _, reader in ipairs(item[READERS]) do
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
  if item[HELD] == 1 then
    local held = { identity = ask.identity, attempt = item[ATTEMPT], readers = item[READERS],
      reads = item[READS] or {}, how = item[HOW] or 'done' }
    set('held', item[1], cjson.encode(held))
  elseif result ~= '' then
    local into = item[TARGET] == 1 and targets or outputs
    into[#into + 1], into[#into + 2] = item[1], result
    keep_chunks(result)
  end
  if (item[UNREAD] or 0) > 0 then
    -- Made again, it may have lost readers that are done: they stand there as a negative count.
    local read_before = item[ATTEMPT] > 1 and redis.call('HGET', k'unread', item[1]) or 0
    unread[#unread + 1], unread[#unread + 2] = item[1], item[UNREAD] + read_before
  end
end

local function accept(item, note, result)
  local state = item[HELD] == 1 and 'held' or item[HOW] or 'done'
  states[#states + 1], states[#states + 2] = item[1], state
  done = done + 1
  is_taken[item[1]] = true
  if item[BECAME] == 1 then is_fresh[item[1]] = nil else
    ended[#ended + 1] = item[1]
    active = active - 1
  end
  if note ~= '' then notes[#notes + 1] = note end
  if item[READS] and item[HELD] ~= 1 then reads[#reads + 1] = item[READS] end
  keep_output(item, result)
  count_down(item[READERS])
end

local function counts(item, claim)
  if is_taken[item[1]] then return false end
  if item[BECAME] == 1 then
    return is_fresh[item[1]] and redis.call('HEXISTS', k'attempts', item[1]) == 0
  end
  return claim == tostring(item[ATTEMPT])
end

local function write_back()
  local left, zero = {}, {}
  for _, reader in ipairs(touched) do
    if missing[reader] == 0 then zero[#zero + 1] = reader else
      left[#left + 1], left[#left + 2] = reader, missing[reader]
    end
  end
  -- First of all, for at maxmemory a script may write on only once it has freed something.
  local claims = k('claims:' .. ask.identity)
  if #ended == redis.call('HLEN', claims) then redis.call('UNLINK', claims) else
    call_in_parts('HDEL', claims, ended)
  end
  call_in_parts('HSET', k'missing', left)
  call_in_parts('HDEL', k'missing', zero)
  call_in_parts('HSET', k'state', states)
  call_in_parts('HSET', k'values', outputs)
  call_in_parts('HSET', k'results', targets)
  call_in_parts('HSET', k'unread', unread)
end

read_missing()
local tasks, found = {}, {}
for i, item in ipairs(items) do tasks[i] = item[1] end
found = get_in_parts(k('claims:' .. ask.identity), tasks)
local next_note = string.gmatch(ARGV[3], '([^\n]*)\n')
for i, item in ipairs(items) do
  local note = next_note()
  if counts(item, found[i]) then accept(item, note, ARGV[i + 3]) else refused[#refused + 1] = item[1] end
end
write_back()
local ready = {}
for _, task in ipairs(fresh) do
  if is_fresh[task] then ready[#ready + 1] = task end
end
if #notes > 0 then tell('"done":[' .. table.concat(notes, ',') .. ']') end
redis.call('HINCRBY', k'meta', 'done', done)
for _, inputs in ipairs(reads) do drop_read(inputs, dropped) end
learn(work.learned)
count_active(active + #ready)
return next_for(ask, ready, work.hints, refused, dropped)
