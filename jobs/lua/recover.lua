-- Puts the jobs of a worker that is taken for dead back in line, first. No retry is charged; but
-- a job that keeps killing its workers is given up at last.
-- KEYS  active
-- ARGV  worker, recoveries of a job at which it is given up, what to add to its message then, what
--       to add to the message of a job that was cancelled; then prefix, channel, since
-- Returns how many were put back and how many given up.
local worker, most, suffix, cancel_suffix = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local back, given_up = 0, 0

-- From now on, what that worker asks for is refused. It does not take a day to notice.
redis.call("SET", prefix .. "gone:" .. worker, "", "EX", 86400)

for _, id in ipairs(redis.call("LRANGE", KEYS[1], 0, -1)) do
	local key = task_key(id)
	local run, msg, group, recoveries, cancelled =
		unpack(redis.call("HMGET", key, "run", "msg", "fifo_group", "recoveries", "cancelled"))
	if run and string.sub(run, 1, #worker + 1) == worker .. ":" then
		recoveries = tonumber(recoveries or 0) + 1
		redis.call("LREM", KEYS[1], 1, id)
		redis.call("HDEL", key, "run")
		if cancelled or recoveries >= most then
			redis.call("HDEL", key, "recoveries", "cancelled")
			archive(id, group, msg .. (cancelled and cancel_suffix or suffix))
			redis.call("PUBLISH", channel .. ":done:" .. id, "")
			given_up = given_up + 1
		else
			redis.call("HSET", key, "recoveries", recoveries)
			enqueue(id, "RPUSH")
			back = back + 1
		end
	end
end
return {back, given_up}
