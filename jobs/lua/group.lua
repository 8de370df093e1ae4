-- What the scripts share. Each starts with a line that sets:
--   prefix   "asynq:{queue}:", the start of all keys of the queue
--   channel  where workers of the queue listen
--   since    the caller's time, Unix ns, for asynq's figures of latency

local function task_key(id) return prefix .. "t:" .. id end
local function list_key(group) return prefix .. "fifo:" .. group end

-- One clock decides for all processes: that of Redis. Unix time in ms.
local function now()
	local time = redis.call("TIME")
	return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Large numbers as Redis wants them: Lua would write an exponent.
local function whole(n) return string.format("%.0f", n) end

-- The score that parks a job until it is first in its group: 1 January 2200.
local parked = 7258118400

-- Puts a job that is pending in line for the workers. Only the first of a line
-- is announced: a worker that was woken looks again until it finds it empty.
local function line_up(id, push)
	if redis.call(push or "LPUSH", prefix .. "pending", id) == 1 then
		redis.call("PUBLISH", channel, "")
	end
end

local function enqueue(id, push)
	redis.call("HSET", task_key(id), "state", "pending", "pending_since", since)
	line_up(id, push)
end

local function park(id)
	redis.call("HSET", task_key(id), "state", "scheduled")
	redis.call("ZADD", prefix .. "scheduled", parked, id)
end

-- Delays a job until at (Unix ms) in one of asynq's two sets, whose scores are
-- whole seconds; the exact time is in a set of ours. Workers are told when it
-- is the next of all.
local function delay(id, state, at)
	redis.call("HSET", task_key(id), "state", state)
	redis.call("ZADD", prefix .. state, whole(math.ceil(at / 1000)), id)
	redis.call("ZADD", prefix .. "due", whole(at), id)
	if redis.call("ZRANK", prefix .. "due", id) == 0 then
		redis.call("PUBLISH", channel, "")
	end
end

-- Makes sure that the first job of a group can run, stepping over those that
-- were deleted, even if their ids are taken again, or given up. Returns its id, or nil when the group is empty.
local function settle(group)
	while true do
		local id = redis.call("LINDEX", list_key(group), 0)
		if not id then
			redis.call("SREM", prefix .. "fifo-groups", group)
			return nil
		end
		local state, of = unpack(redis.call("HMGET", task_key(id), "state", "fifo_group"))
		if state and of == group and state ~= "archived" and state ~= "completed" then
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

-- Keeps a job that was given up, as asynq does: the last 10,000 of 90 days.
-- The next of its group may run.
local function archive(id, group, msg)
	local key, seconds = prefix .. "archived", math.floor(now() / 1000)
	redis.call("ZADD", key, whole(seconds), id)
	redis.call("HSET", task_key(id), "msg", msg, "state", "archived")
	local function forget(ids)
		for _, old in ipairs(ids) do
			redis.call("DEL", task_key(old))
			redis.call("ZREM", key, old)
		end
	end
	forget(redis.call("ZRANGEBYSCORE", key, "-inf", whole(seconds - 90 * 86400), "LIMIT", 0, 100))
	forget(redis.call("ZRANGE", key, 0, -10001))
	leave(group, id)
end
