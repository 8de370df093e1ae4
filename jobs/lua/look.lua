-- Starts the next jobs that may run, in place of asynq's forward and dequeue.
-- KEYS  pending
-- ARGV  worker, run (worker:number of this look), how many, "again" when the reply to this look
--       was lost, "due" to see to delayed jobs, at most so many starts (0 for any) per so many ms;
--       then prefix, channel, since
-- Returns {whether there may be more, ms until the rate allows more, ms until the next delayed job is
-- due (0 when none is delayed, or nobody asked), then id, message, start number, group and
-- sequence of each}. Fails with GONE when the worker was taken for dead: its jobs are others' now.
local rare -- see rare.lua
local worker, run, most, again = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == "again"
local rate, per = tonumber(ARGV[6]), tonumber(ARGV[7])
local reply = {0, 0, 0}
local gone, paused = prefix .. "gone:" .. worker, prefix .. "paused"

-- Usually there is none of all this, and one question is enough.
local barred, delayed = false, false
if call("EXISTS", gone, paused, prefix .. "due", prefix .. "scheduled", prefix .. "retry") > 0 then
	if call("EXISTS", gone) == 1 then
		return redis.error_reply("GONE the worker was taken for dead")
	end
	barred, delayed = call("EXISTS", paused) == 1, true
end

local length = #reply
local function add(id, msg, starts, group, seq)
	reply[length + 1], reply[length + 2], reply[length + 3] = id, msg, tonumber(starts)
	reply[length + 4], reply[length + 5] = group or "", tonumber(seq or 0)
	length = length + 5
end

-- Puts jobs in line that were delayed, and notes when the next one is due.
local function see_to_delayed()
	rare = rare or load_rare()
	local now, whole, time, soonest = rare.now, rare.whole, nil, 0

	-- Those with a score up to limit. Of the jobs in asynq's sets, only those of foreign clients have no exact time.
	local function forward(set, limit)
		for _, id in ipairs(call("ZRANGEBYSCORE", prefix .. set, "-inf", whole(limit), "LIMIT", 0, 200)) do
			call("ZREM", prefix .. set, id)
			local state = call("HGET", tasks .. id, "state")
			if state == "scheduled" or state == "retry" then
				call("ZREM", prefix .. state, id)
				call("ZREM", prefix .. "due", id)
				rare.enqueue(id)
			end
		end
	end

	for set, unit in pairs({due = 1, scheduled = 1000, retry = 1000}) do
		local first = call("ZRANGE", prefix .. set, 0, 0, "WITHSCORES")
		local at = first[2] and tonumber(first[2]) * unit
		time = time or at and now()
		if at and at <= time then
			forward(set, math.floor(time / unit))
			first = call("ZRANGE", prefix .. set, 0, 0, "WITHSCORES")
			at = first[2] and tonumber(first[2]) * unit
		end
		if at and (soonest == 0 or at < soonest) then
			soonest = at
		end
	end
	-- Whoever waits has a clock of its own, and so is told how long.
	reply[3] = soonest > 0 and math.max(1, soonest - now()) or 0
end

-- Returns how long it is until the rate allows one more start, and a function that notes one. The rate is never more
-- than so many in any time of the length per.
local function limit()
	rare = rare or load_rare()
	local list, now, whole = prefix .. "rate", rare.now, rare.whole

	-- The last starts are noted with their times. When the clock was put back since, those that lie ahead of it
	-- count as of now.
	local function clamp(time)
		local starts = call("LRANGE", list, 0, -1)
		call("DEL", list)
		for i, start in ipairs(starts) do
			starts[i] = whole(math.min(tonumber(start), time))
		end
		for i = 1, #starts, 1000 do
			call("RPUSH", list, unpack(starts, i, math.min(i + 999, #starts)))
		end
		call("PEXPIRE", list, 2 * per + 1000)
	end

	local function wait()
		local time, newest = now(), call("LINDEX", list, 0)
		if newest and tonumber(newest) > time then
			clamp(time)
		end
		local oldest = call("LINDEX", list, rate - 1)
		return oldest and math.max(0, tonumber(oldest) + 1 + per - time) or 0
	end

	local function note()
		call("LPUSH", list, whole(now()))
		call("LTRIM", list, 0, rate - 1)
		call("PEXPIRE", list, 2 * per + 1000)
	end
	return wait, note
end

local wait, note_start
if rate > 0 then
	wait, note_start = limit()
end

-- Moves the next id from pending to active and returns it, or false. A Redis that is full refuses to move it, but
-- takes a write that frees memory, and what follows that.
local full = false
local function take()
	if not full then
		local id = redis.pcall("RPOPLPUSH", prefix .. "pending", prefix .. "active")
		if type(id) ~= "table" then
			return id
		end
		full = true
	end
	local id = call("RPOP", prefix .. "pending")
	if id then
		call("LPUSH", prefix .. "active", id)
	end
	return id
end

-- A job of a group runs only as its first.
local function in_turn(group, id, seq)
	if call("LINDEX", prefix .. "fifo:" .. group, "0") == seq .. " " .. id then
		return true
	end
	rare = rare or load_rare()
	return rare.queue_up(group, id, seq)
end

-- Starts the next job. Returns false when there is none. What was cancelled or deleted may still be in line.
local function start()
	local id = take()
	if not id then
		return false
	end
	local key = tasks .. id
	local msg, state, group, seq, starts = unpack(call("HMGET", key, "msg", "state", "fifo_group", "fifo_seq", "starts"))
	local pending = msg and state == "pending"
	if pending and (not group or in_turn(group, id, seq)) then
		starts = string.format("%d", (starts or 0) + 1)
		call("HSET", key, "state", "active", "run", run, "starts", starts)
		if note_start then
			note_start()
		end
		add(id, msg, starts, group, seq)
		return true
	end
	call("LREM", prefix .. "active", 1, id) -- the one that was just put there
	if state and not msg then
		call("DEL", key) -- the rest of a job that was cancelled
	end
	return true
end

if again then
	for _, id in ipairs(call("LRANGE", prefix .. "active", 0, -1)) do
		if call("HGET", tasks .. id, "run") == run then
			add(id, unpack(call("HMGET", tasks .. id, "msg", "starts", "fifo_group", "fifo_seq")))
		end
	end
	reply[1] = 1
	return reply
end

if delayed and ARGV[5] == "due" then
	see_to_delayed()
end
if barred then
	return reply
end
-- Jobs out of turn are passed over, but not without end in one step.
for _ = 1, most + 100 do
	if length >= 3 + 5 * most then
		break
	end
	if wait then
		reply[2] = wait()
	end
	if reply[2] > 0 or not start() then
		return reply
	end
end
reply[1] = 1
return reply
