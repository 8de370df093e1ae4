-- Puts the jobs of a worker that is taken for dead back in line, before the others. No retry is charged; but
-- a job that keeps killing its workers is given up at last.
-- KEYS  active
-- ARGV  worker, recoveries of a job at which it is given up, what to add to its message then, what
--       to add to the message of a job that was cancelled, how many jobs from the end of those that run
--       have been looked at, how many to look at; then prefix, channel, since
-- Returns how many were looked at and how many put back, then id, message, start number, group and sequence
-- of each that was given up.
local worker, most, suffix, cancel_suffix = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local seen, count = tonumber(ARGV[5]), tonumber(ARGV[6])
local reply = {0, 0}

-- From now on, what that worker asks for is refused. It does not take a day to notice.
begin_freeing()
call("SET", prefix .. "gone:" .. worker, "", "EX", 86400)

-- A worker that was told to stop did not die of its jobs.
local stopped = call("EXISTS", prefix .. "stopping:" .. worker) == 1

local function put_back(id, key)
	local msg, group, seq, starts, recoveries, cancelled =
		unpack(call("HMGET", key, "msg", "fifo_group", "fifo_seq", "starts", "recoveries", "cancelled"))
	recoveries = tonumber(recoveries or 0) + (stopped and 0 or 1)
	call("LREM", KEYS[1], -1, id) -- They are looked at from the end.
	call("HDEL", key, "run")
	if cancelled or recoveries >= most then
		msg = msg .. (cancelled and cancel_suffix or suffix)
		call("HDEL", key, "recoveries", "cancelled")
		archive(id, group, seq, msg)
		publish(channel .. ":done:" .. id, "")
		for _, value in ipairs({id, msg, tonumber(starts or 0), group or "", tonumber(seq or 0)}) do
			reply[#reply + 1] = value
		end
	else
		call("HSET", key, "recoveries", recoveries)
		enqueue(id, "RPUSH")
		reply[2] = reply[2] + 1
	end
end

for _, id in ipairs(call("LRANGE", KEYS[1], -seen - count, -seen - 1)) do
	reply[1] = reply[1] + 1
	local key = tasks .. id
	local run = call("HGET", key, "run")
	if run and string.sub(run, 1, #worker + 1) == worker .. ":" then
		put_back(id, key)
	end
end
return reply
