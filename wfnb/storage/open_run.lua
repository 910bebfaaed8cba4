-- open_run: a new run, whole or not at all.
-- ARGV: opening as JSON {run, keep, queue, tasks, about, lanes, queues, policies, constants, pools, seed, nonce},
--   graph, plan, graph again if it travels with launches or '', then each constant, then each result
--   of what is reused, '' for none
-- returns 1 if every pool it asks is known to be alive, 0 if not, -1 if the run exists
local opening = cjson.decode(ARGV[1])
local function all_pools_live()
  for _, pool in ipairs(opening.pools) do
    local until_ms = redis.call('HGET', 'wfnb:pools', pool)
    if not until_ms or tonumber(string.match(until_ms, '^%d+')) < now then return 0 end
  end
  return 1
end
if status then
  local was_us = redis.call('HGET', k'meta', 'opened_by') == opening.nonce
  return was_us and all_pools_live() or -1  -- our own reply was lost, or somebody else's run
end
generation, status, keep = 1, 'running', opening.keep
meta = { '1', status, keep, opening.queue, #opening.queues > 0 and '1' or '0', opening.run }
redis.call('UNLINK', k'over')
redis.call('SET', k'graph', ARGV[2], 'EX', keep)
redis.call('SET', k'plan', ARGV[3], 'EX', keep)
for i, content in ipairs(opening.constants) do
  redis.call('SET', k('constant:' .. content), ARGV[4 + i], 'EX', keep)
  set('constants', content, 1)
end
call_in_parts('HSET', k'lanes', opening.lanes)
call_in_parts('HSET', k'queues', opening.queues)
call_in_parts('HSET', k'policies', opening.policies)
call_in_parts('HSET', k'meta', opening.about)
set('meta', 'generation', 1, 'status', status, 'keep', keep, 'queue', opening.queue, 'mixed', meta[5],
  'name', opening.run, 'tasks', opening.tasks, 'created', now, 'failed', 0, 'opened_by', opening.nonce)
sow(opening.seed, ARGV[4], 5 + #opening.constants)
publish()
return all_pools_live()
