-- Gives a job up, in place of asynq's archive. The next of its group may run.
-- KEYS  task, active, lease, archived, processed today, failed today, processed and failed in all,
--       prefix of task keys
-- ARGV  id, message, now (Unix seconds), before when the archive forgets, how many it holds, when
--       today's counts expire, largest count, run; then prefix, channel, now
-- Returns 1, or 0 when the run is not the job's any more.
local id = ARGV[1]
if not end_run(id, ARGV[8]) then
	return redis.call("HGET", KEYS[1], "msg") == ARGV[2] and 1 or 0
end

local function forget(ids)
	for _, old in ipairs(ids) do
		redis.call("DEL", task_key(old))
		redis.call("ZREM", KEYS[4], old)
	end
end
redis.call("ZADD", KEYS[4], ARGV[3], id)
forget(redis.call("ZRANGEBYSCORE", KEYS[4], "-inf", ARGV[4]))
forget(redis.call("ZRANGE", KEYS[4], 0, -1 - tonumber(ARGV[5])))

redis.call("HSET", KEYS[1], "msg", ARGV[2], "state", "archived")
count(KEYS[5], KEYS[7], ARGV[6], ARGV[7])
count(KEYS[6], KEYS[8], ARGV[6], ARGV[7])
leave(redis.call("HGET", KEYS[1], "fifo_group"), id)
return 1
