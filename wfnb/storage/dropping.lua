-- dropping: outputs live until their last counted reader is done.

local function pointer_of(result)
  return string.sub(result, 1, 1) == '{' and cjson.decode(result) or nil
end

local function chunk_keys(pointer)
  local keys = {}
  for i = 0, pointer.chunks - 1 do keys[i + 1] = k('out:' .. pointer.name .. ':' .. i) end
  return keys
end

-- A completion names the output's chunks, so they no longer expire early.
local function keep_chunks(result)
  local pointer = pointer_of(result)
  if not pointer or pointer.at ~= 'chunks' then return end
  for _, key in ipairs(chunk_keys(pointer)) do redis.call('EXPIRE', key, keep) end
end

local function drop(task, dropped)
  local result = redis.call('HGET', k'values', task)
  if not result then return end
  redis.call('HDEL', k'values', task)
  local pointer = pointer_of(result)
  if not pointer then return end
  if pointer.at ~= 'chunks' then
    dropped[#dropped + 1] = result
    return
  end
  local keys = chunk_keys(pointer)
  for first = 1, #keys, 4000 do
    redis.call('UNLINK', unpack(keys, first, math.min(first + 3999, #keys)))
  end
end

-- One of the readers of these tasks is done. A held one whose last reader is done lets go of what
-- it read itself, and so on up.
local function drop_read(tasks, dropped)
  local to_see = {}
  for i, task in ipairs(tasks) do to_see[i] = task end
  while #to_see > 0 do
    local task = table.remove(to_see)
    if redis.call('HEXISTS', k'unread', task) == 1 and redis.call('HINCRBY', k'unread', task, -1) <= 0 then
      redis.call('HDEL', k'unread', task)
      local held = redis.call('HGET', k'held', task)
      if held then
        held = cjson.decode(held)
        redis.call('HDEL', k'held', task)
        redis.call('HSET', k'state', task, held.how)
        for _, read in ipairs(held.reads) do to_see[#to_see + 1] = read end
      else
        drop(task, dropped)
      end
    end
  end
end
