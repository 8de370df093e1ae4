-- Puts off a job that failed, in place of asynq's retry. It stays the first of
-- its group, and so holds the group back.
-- KEYS  task, active, lease, retry, processed today, failed today, processed and failed in all
-- ARGV  id, message, when to retry (Unix seconds), when today's counts expire, whether it counts
--       as a failure (1 or 0), largest count, run; then prefix, channel, now
-- Returns 1, or 0 when the run is not the job's any more.
local id = ARGV[1]
if not end_run(id, ARGV[7]) then
	return redis.call("HGET", KEYS[1], "msg") == ARGV[2] and 1 or 0
end
redis.call("ZADD", KEYS[4], ARGV[3], id)
redis.call("HSET", KEYS[1], "msg", ARGV[2], "state", "retry")
if tonumber(ARGV[5]) == 1 then
	count(KEYS[5], KEYS[7], ARGV[4], ARGV[6])
	count(KEYS[6], KEYS[8], ARGV[4], ARGV[6])
end
return 1
