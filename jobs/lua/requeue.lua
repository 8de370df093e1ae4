-- Gives a job back to run next, in place of asynq's requeue. It stays the first
-- of its group, and nothing is charged.
-- KEYS  active, lease, pending, task
-- ARGV  id, run; then prefix, channel, now
-- Returns 1, or 0 when the run is not the job's any more.
local id = ARGV[1]
if not end_run(id, ARGV[2]) then
	return redis.call("HGET", KEYS[4], "state") == "pending" and 1 or 0
end
redis.call("HSET", KEYS[4], "state", "pending", "pending_since", now)
if redis.call("RPUSH", KEYS[3], id) == 1 then
	redis.call("PUBLISH", channel, "")
end
return 1
