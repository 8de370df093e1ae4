-- Keeps a job that succeeded for its retention, in place of asynq's mark-as-complete.
-- KEYS  active, lease, completed, task, processed today, processed in all, unique key (optional)
-- ARGV  id, when today's count expires, until when it is kept, message, largest count, run;
--       then prefix, channel, now
-- Returns 1, or 0 when the run is not the job's any more.
local id = ARGV[1]
if not end_run(id, ARGV[6]) then
	return redis.call("HGET", KEYS[4], "msg") == ARGV[4] and 1 or 0
end
redis.call("ZADD", KEYS[3], ARGV[3], id)
redis.call("HSET", KEYS[4], "msg", ARGV[4], "state", "completed")
count(KEYS[5], KEYS[6], ARGV[2], ARGV[5])
free_unique(KEYS[7], id)
leave(redis.call("HGET", KEYS[4], "fifo_group"), id)
return 1
