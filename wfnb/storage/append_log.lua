-- append_log: the first mebibyte of an attempt's output and the last are kept.
-- ARGV: task, attempt, text, where it begins in the output or -1 to append
--   log:<task>:<attempt> string, the head; ...:tail list of pieces; ...:size string, bytes in all;
--   logs hash task -> last attempt that printed
local HEAD, PIECES, PIECE = 1048576, 65, 16384
if not status then return 0 end
local task, attempt, text, at = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local name = k('log:' .. task .. ':' .. attempt)
local size = tonumber(redis.call('GET', name .. ':size') or 0)
if at >= 0 and at < size then text = string.sub(text, size - at + 1) end
if #text == 0 then return 0 end
redis.call('INCRBY', name .. ':size', #text)
local room = HEAD - redis.call('STRLEN', name)
if room > 0 then redis.call('APPEND', name, string.sub(text, 1, room)) end
if room < #text then
  text, room = string.sub(text, math.max(room, 0) + 1), 0
  local last = redis.call('LINDEX', name .. ':tail', -1)
  if last and #last < PIECE then text = redis.call('RPOP', name .. ':tail') .. text end
end
for first = math.max(room, 0) + 1, #text, PIECE do
  redis.call('RPUSH', name .. ':tail', string.sub(text, first, first + PIECE - 1))
end
redis.call('LTRIM', name .. ':tail', -PIECES, -1)
if tonumber(redis.call('HGET', k'logs', task) or 0) < tonumber(attempt) then
  redis.call('HSET', k'logs', task, attempt)
end
for _, key in ipairs({ name, name .. ':tail', name .. ':size', k'logs' }) do redis.call('EXPIRE', key, keep) end
return #text
