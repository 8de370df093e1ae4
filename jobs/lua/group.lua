-- What the scripts share. Each starts with a line that sets:
--   call     redis.call
--   prefix   "asynq:{queue}:", the start of all keys of the queue
--   channel  where workers of the queue listen
--   since    the caller's time, Unix ns, for asynq's figures of latency

local function task_key(id) return prefix .. "t:" .. id end
local function line_key(group) return prefix .. "fifo:" .. group end

-- A Redis that is full refuses the first write of a script if that needs memory, and takes all that
-- follow. So the steps that drain a queue, and in the end free memory, begin with a write that frees
-- some, or with this one, which does nothing.
local function begin_freeing() call("DEL", prefix .. "nothing") end

-- Where a dedupe id is taken. The value is the id of the job that took it, after "0", or "1" when that
-- job has ended and may be forgotten.
local function dedupe_key(hash) return prefix .. "dedupe:" .. hash end

-- A worker that does not hear of something finds it a little later, so it is no failure when Redis lets
-- this user publish nothing.
local function publish(to, text) redis.pcall("PUBLISH", to, text) end

-- One clock decides for all processes: that of Redis. Unix time in ms.
local function now()
	local time = call("TIME")
	return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The end of a wait that begins now, which is never too short: this millisecond has begun already.
local function after(ms) return now() + 1 + ms end

-- Large numbers as Redis wants them: Lua would write an exponent.
local function whole(n) return string.format("%.0f", n) end

-- The score that parks a job until it is first in its group: 1 January 2200. It is text, as all numbers are
-- where many jobs pass, since Redis takes long to write a number of Lua's down.
local parked = "7258118400"

-- Puts a job that is pending in line for the workers. Only the first of a line
-- is announced: a worker that was woken looks again until it finds it empty.
local function line_up(id, push)
	if call(push or "LPUSH", prefix .. "pending", id) == 1 then
		publish(channel, "")
	end
end

local function enqueue(id, push)
	call("HSET", task_key(id), "state", "pending", "pending_since", since)
	line_up(id, push)
end

local function park(id)
	call("HSET", task_key(id), "state", "scheduled")
	call("ZADD", prefix .. "scheduled", parked, id)
end

-- Delays a job until at (Unix ms) in one of asynq's two sets, whose scores are
-- whole seconds; the exact time is in a set of ours. Of a job that waits for some time, and not until a
-- time, the length (ms) is noted too: see shorten.lua. Workers are told when it is the next of all.
local function delay(id, state, at, wait)
	if wait then
		call("HSET", task_key(id), "state", state, "wait", wait)
	else
		call("HSET", task_key(id), "state", state)
	end
	call("ZADD", prefix .. state, whole(math.ceil(at / 1000)), id)
	call("ZADD", prefix .. "due", whole(at), id)
	if call("ZRANK", prefix .. "due", id) == 0 then
		publish(channel, "")
	end
end

-- Makes sure that the first job of a group can run, stepping over those that
-- were deleted, even if their ids are taken again, or given up. Returns its id, or nil when the group is
-- empty. Where very many were deleted, the sweeper goes on another time. The first may be known already.
local function settle(group, first)
	local line = line_key(group)
	for _ = 1, 100 do
		local id = first or call("ZRANGE", line, "0", "0")[1]
		first = nil
		if not id then
			call("SREM", prefix .. "fifo-groups", group)
			return nil
		end
		local state, of = unpack(call("HMGET", task_key(id), "state", "fifo_group"))
		if state and of == group and state ~= "archived" and state ~= "completed" then
			if state == "scheduled" then
				call("ZREM", prefix .. "scheduled", id)
				enqueue(id)
			end
			return id
		end
		call("ZREM", line, id)
	end
	call("SADD", prefix .. "fifo-unsettled", group)
	return nil
end

-- Takes a job that is over out of its group and lets the next one run.
local function leave(group, id)
	if group then
		call("ZREM", line_key(group), id)
		settle(group)
	end
end

-- Keeps a job that was given up, as asynq does: the last 10,000 of 90 days.
-- The next of its group may run.
local function archive(id, group, msg)
	local key, seconds = prefix .. "archived", math.floor(now() / 1000)
	call("ZADD", key, whole(seconds), id)
	call("HSET", task_key(id), "msg", msg, "state", "archived")
	local function forget(ids)
		for _, old in ipairs(ids) do
			call("DEL", task_key(old))
			call("ZREM", key, old)
		end
	end
	forget(call("ZRANGEBYSCORE", key, "-inf", whole(seconds - 90 * 86400), "LIMIT", 0, 100))
	-- The dashboard may have archived any number at once.
	local over = call("ZCARD", key) - 10000
	if over > 0 then
		forget(call("ZRANGE", key, 0, math.min(over, 100) - 1))
	end
	leave(group, id)
end
