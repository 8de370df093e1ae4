-- What the scripts share. Each starts with a line that sets:
--   prefix   "asynq:{queue}:", the start of all keys of the queue
--   channel  where workers of the queue listen for work
--   now      Unix time in nanoseconds, for asynq's latency figures

local function task_key(id) return prefix .. "t:" .. id end
local function list_key(group) return prefix .. "fifo:" .. group end
local groups_key = prefix .. "fifo-groups"

-- The score that parks a job until it is first in its group: 1 January 2200.
-- Asynq moves scheduled tasks when their score, a Unix time, has come.
local parked = 7258118400

-- Puts a job in line for the workers. Only the first of a line is announced:
-- a worker that was woken looks again until it finds the line empty.
local function enqueue(id)
	redis.call("HSET", task_key(id), "state", "pending", "pending_since", now)
	if redis.call("LPUSH", prefix .. "pending", id) == 1 then
		redis.call("PUBLISH", channel, "")
	end
end

local function park(id)
	redis.call("HSET", task_key(id), "state", "scheduled")
	redis.call("HDEL", task_key(id), "pending_since")
	redis.call("ZADD", prefix .. "scheduled", parked, id)
end

-- Makes sure that the first job of a group can run, stepping over those that
-- were deleted or given up. Returns its id, or nil when the group is empty.
local function settle(group)
	while true do
		local id = redis.call("LINDEX", list_key(group), 0)
		if not id then
			redis.call("SREM", groups_key, group)
			return nil
		end
		local state = redis.call("HGET", task_key(id), "state")
		if state and state ~= "archived" and state ~= "completed" then
			if state == "scheduled" then
				redis.call("ZREM", prefix .. "scheduled", id)
				enqueue(id)
			end
			return id
		end
		redis.call("LPOP", list_key(group))
	end
end

-- Takes a job that is over out of its group and lets the next one run.
local function leave(group, id)
	if group then
		redis.call("LREM", list_key(group), 1, id)
		settle(group)
	end
end

-- Ends a run: the job is no longer active. Returns false when the run is over
-- already, which is so when Redis repeats a command whose reply was lost, or
-- when the job was taken from a worker that seemed dead. A recovery has no run
-- to name and ends whichever there is.
local function end_run(id, run)
	if run ~= "" and redis.call("HGET", task_key(id), "run") ~= run then
		return false
	end
	if redis.call("LREM", prefix .. "active", 0, id) == 0 then
		return false
	end
	redis.call("ZREM", prefix .. "lease", id)
	redis.call("HDEL", task_key(id), "run")
	return true
end

-- Adds one to a counter of the day and to its total, as asynq's figures need.
local function count(day_key, total_key, expire_at, max)
	if redis.call("INCR", day_key) == 1 then
		redis.call("EXPIREAT", day_key, expire_at)
	end
	if redis.call("GET", total_key) == max then
		redis.call("SET", total_key, 1)
	else
		redis.call("INCR", total_key)
	end
end

local function free_unique(key, id)
	if key and redis.call("GET", key) == id then
		redis.call("DEL", key)
	end
end
