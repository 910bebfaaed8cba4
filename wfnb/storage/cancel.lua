-- cancel: end a running run under a new generation, which every other verb and every beat then sees.
-- ARGV: a nonce, which tells a repeated call from a new one
-- returns 1, or 0 if it had ended
if redis.call('HGET', k'meta', 'cancelled_by') == ARGV[1] then return 1 end
if status ~= 'running' then return 0 end
redis.call('UNLINK', k'replies')  -- first, for at maxmemory a script may write on only after that
redis.call('HSET', k'meta', 'cancelled_by', ARGV[1])
redis.call('HINCRBY', k'meta', 'generation', 1)
end_run('cancelled')
for _, identity in ipairs(redis.call('ZRANGE', k'leases', 0, -1)) do
  local claims = redis.call('HGETALL', k('claims:' .. identity))
  call_in_parts('HSET', k'attempts', claims)  -- these numbers are used up
  redis.call('UNLINK', k('claims:' .. identity))
end
redis.call('UNLINK', k'leases', k'seats')
publish()
return 1
