-- snapshot: a run's state and the last event that it includes.
-- returns meta (field, value, ...), state (task, value, ...), last event id or '0-0',
--   expansions (task, count, ...)
local last = redis.call('XREVRANGE', k'events', '+', '-', 'COUNT', 1)
return { redis.call('HGETALL', k'meta'), redis.call('HGETALL', k'state'), last[1] and last[1][1] or '0-0',
  redis.call('HGETALL', k'expansions') }
