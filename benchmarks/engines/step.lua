-- step: store what was finished, count it in at its readers, claim what comes next
-- KEYS: 1 queue LIST, 2 values HASH, 3 counts HASH, 4 answer LIST
-- ARGV: 1 serial of the run, 2 most tasks to claim, 3 sink,
--       then per finished task: id, value, number of readers,
--       then per reader: id, number of its inputs, their ids ('' when they are many)
-- Returns per claimed task: {id, input...}
local serial, most, sink, i = ARGV[1], tonumber(ARGV[2]), ARGV[3], 4
while ARGV[i] do
  local id, value, readers = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  redis.call('HSET', KEYS[2], id, value)
  if id == sink then redis.call('RPUSH', KEYS[4], value) end
  i = i + 3
  for _ = 1, readers do
    local reader, needed = ARGV[i], tonumber(ARGV[i + 1])
    if needed == 1 or redis.call('HINCRBY', KEYS[3], reader, 1) == needed then
      redis.call('RPUSH', KEYS[1], serial .. ' ' .. reader .. ' ' .. ARGV[i + 2])
    end
    i = i + 3
  end
end
-- Never more than a quarter of what waits, or one worker would take it all.
local share = math.floor(redis.call('LLEN', KEYS[1]) / 4)
local claimed, out = redis.call('LPOP', KEYS[1], math.max(1, math.min(most, share))) or {}, {}
for _, item in ipairs(claimed) do
  local id, inputs = string.match(item, '%d+ (%d+) ?(.*)')
  local entry = {id}
  for input in string.gmatch(inputs, '%d+') do
    entry[#entry + 1] = redis.call('HGET', KEYS[2], input)
  end
  out[#out + 1] = entry
end
return out
