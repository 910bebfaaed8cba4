-- abandon: a worker is known to be dead.
-- ARGV: identity, error record as JSON, the task it was executing or ''
-- returns workers, tasks, launches
if status ~= 'running' or not redis.call('ZSCORE', k'leases', ARGV[1]) then return { 0, 0, 0 } end
local tasks, launches = lose(ARGV[1], ARGV[2], ARGV[3])
return { 1, tasks, launches }
