-- Deletes a job that succeeded, in place of asynq's done.
-- KEYS  active, lease, task, processed today, processed in all, unique key (optional)
-- ARGV  id, when today's count expires, largest count, run; then prefix, channel, now
-- Returns 1, or 0 when the run is not the job's any more.
local id = ARGV[1]
local group = redis.call("HGET", KEYS[3], "fifo_group")
if not end_run(id, ARGV[4]) then
	return 1 - redis.call("EXISTS", KEYS[3])
end
redis.call("DEL", KEYS[3])
count(KEYS[4], KEYS[5], ARGV[2], ARGV[3])
free_unique(KEYS[6], id)
leave(group, id)
return 1
