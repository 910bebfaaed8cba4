-- beat: renew a worker's lease.
-- ARGV: identity
-- returns the run's generation, or 0 if the worker was given up or the run is over
if status ~= 'running' or not redis.call('ZSCORE', k'leases', ARGV[1]) then return 0 end
redis.call('ZADD', k'leases', now + LEASE, ARGV[1])
if redis.call('TTL', k'meta') > keep / 2 then return generation end
for _, name in ipairs({ 'meta', 'graph', 'plan', 'state', 'missing', 'values', 'results', 'queues', 'lanes',
    'policies', 'crew', 'workers', 'names', 'joined', 'leases', 'unread', 'held', 'attempts',
    'constants', 'seats', 'asked', 'delayed', 'failures', 'lost', 'errors', 'events', 'replies', 'last_failed',
    'expansions' }) do
  redis.call('EXPIRE', k(name), keep)
end
for _, content in ipairs(redis.call('HKEYS', k'constants')) do
  redis.call('EXPIRE', k('constant:' .. content), keep)
end
for _, queue in ipairs(redis.call('HKEYS', k'lanes')) do redis.call('EXPIRE', k('ready:' .. queue), keep) end
for _, worker in ipairs(redis.call('ZRANGE', k'leases', 0, -1)) do
  redis.call('EXPIRE', k('claims:' .. worker), keep)
end
return generation
