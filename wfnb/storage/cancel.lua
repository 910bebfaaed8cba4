-- cancel: end a running run under a new generation, which every other verb and every beat then sees.
-- returns 1, or 0 if it had ended
if status ~= 'running' then return 0 end
redis.call('HINCRBY', k'meta', 'generation', 1)
end_run('cancelled')
for _, identity in ipairs(redis.call('ZRANGE', k'leases', 0, -1)) do
  redis.call('UNLINK', k('claims:' .. identity))
end
redis.call('UNLINK', k'leases', k'replies')
publish()
return 1
