-- Forgets a schedule that no program has any more.
-- KEYS  schedule, names, runs, last runs
-- ARGV  name, when it was declared last
-- Returns 1, or 0 when it was declared again.
if redis.call("HGET", KEYS[1], "declared") ~= ARGV[2] then
	return 0
end
redis.call("DEL", KEYS[1])
redis.call("SREM", KEYS[2], ARGV[1])
redis.call("HDEL", KEYS[3], ARGV[1])
redis.call("HDEL", KEYS[4], ARGV[1])
return 1
