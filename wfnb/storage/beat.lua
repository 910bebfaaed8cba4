-- beat: renew a worker's lease.
-- ARGV: identity
-- returns the run's generation, or 0 if the worker was given up or the run is over
if status ~= 'running' or not redis.call('ZSCORE', k'leases', ARGV[1]) then return 0 end
redis.call('ZADD', k'leases', now + LEASE, ARGV[1])
for _, name in ipairs({ 'meta', 'graph', 'plan', 'state', 'missing', 'values', 'results', 'queues', 'lanes',
    'policies', 'crew', 'workers', 'names', 'joined', 'leases', 'unread', 'held', 'attempts' }) do
  redis.call('EXPIRE', k(name), keep)
end
return generation
