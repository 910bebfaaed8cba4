-- record: keep samples that go along with no completion.
-- ARGV: parts as JSON, see the end of recording.lua
learn(cjson.decode(ARGV[1]))
