-- claim: take ready tasks; a flexible worker that finds none leaves the run in the same call.
-- ARGV: ask as JSON {identity, generation, queue, want, stay, nonce, prefer}
-- returns status, claims (task, attempt, ...), inputs (task, bytes, ...), refused, dropped
local ask = cjson.decode(ARGV[1])
local before = answer_before(ask)
if before then return before end
if is_stale(ask) then return { 'stop', {}, {}, {}, {} } end
return next_for(ask, {}, {}, {}, {})
