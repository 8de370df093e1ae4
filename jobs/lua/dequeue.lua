-- Starts the next job that may run, in place of asynq's dequeue.
-- KEYS  pending, paused, active, lease, the worker's last claim
-- ARGV  end of the lease (Unix seconds), id of the run to be started; then prefix, channel, now
-- Returns {id, message, start number, group, sequence}, nil when there is nothing to do, or 1 when
-- there may be more but the script has run long enough.
local lease_end, run = ARGV[1], ARGV[2]

local function started(id)
	local msg, starts, group, seq = unpack(redis.call("HMGET", task_key(id), "msg", "starts", "fifo_group", "fifo_seq"))
	return {id, msg, tonumber(starts), group or "", tonumber(seq or 0)}
end

-- A client repeats a command whose reply was lost: the run has begun already.
local claimed = redis.call("GET", KEYS[5])
if claimed and redis.call("HGET", task_key(claimed), "run") == run then
	redis.call("ZADD", KEYS[4], lease_end, claimed)
	return started(claimed)
end

-- A job of a group runs only as its first. One that was given up and is run
-- again by hand joins the end of its group.
local function in_turn(group, id)
	local list = list_key(group)
	if redis.call("LINDEX", list, 0) == id then
		return true
	end
	if not redis.call("LPOS", list, id) then
		redis.call("RPUSH", list, id)
		redis.call("SADD", groups_key, group)
	end
	return settle(group) == id
end

if redis.call("EXISTS", KEYS[2]) == 1 then
	return false
end
for _ = 1, 100 do
	local id = redis.call("RPOPLPUSH", KEYS[1], KEYS[3])
	if not id then
		return false
	end
	local msg, group = unpack(redis.call("HMGET", task_key(id), "msg", "fifo_group"))
	if msg and (not group or in_turn(group, id)) then
		redis.call("HSET", task_key(id), "state", "active", "run", run)
		redis.call("HDEL", task_key(id), "pending_since")
		redis.call("HINCRBY", task_key(id), "starts", 1)
		redis.call("ZADD", KEYS[4], lease_end, id)
		redis.call("SET", KEYS[5], id, "EX", 120)
		return started(id)
	end
	redis.call("LREM", KEYS[3], 1, id)
	if msg then
		park(id)
	end
end
return 1
