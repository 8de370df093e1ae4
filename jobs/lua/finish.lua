-- Ends runs, in place of asynq's done, mark-as-complete, retry, archive and requeue.
-- KEYS  active
-- ARGV  today, when today's counts expire (Unix seconds), then of each run: id, owner, outcome
--       ("done", "retry", "archive" or "requeue"), the new message (of a job that is done, what to
--       add to it), ms until the retry, seconds to keep a job that is done, its result, whether it
--       counts (0 or 1), asynq's key of a unique job ("" for none); then prefix, channel, since
-- Returns for each run 1; 0 when it is not the job's any more; 2, and nothing is changed, when the
-- job would run again and was cancelled.
local processed, failed = 0, 0
local rare -- see rare.lua

-- What becomes of a job that did not succeed.
local function failure(id, key, group, seq, owner, outcome, msg, wait)
	call("HDEL", key, "run")
	call("HSET", key, "msg", msg, "ended", owner)
	if outcome == "retry" then
		rare.delay(id, "retry", rare.after(wait), wait)
	elseif outcome == "archive" then
		call("HDEL", key, "cancelled", "recoveries")
		rare.archive(id, group, seq, msg)
	else
		rare.enqueue(id, "RPUSH")
	end
end

-- Keeps a job that is done for some time (seconds).
local function retain(id, key, owner, msg, keep, result)
	msg = call("HGET", key, "msg") .. msg
	call("HDEL", key, "run", "cancelled")
	call("HSET", key, "msg", msg, "state", "completed", "ended", owner, "result", result)
	call("ZADD", prefix .. "completed", rare.whole(math.floor(rare.now() / 1000) + keep), id)
end

-- The dedupe id of a job that has ended stays taken, whether the job is kept or not. By now another job may have it,
-- since the time for which it was taken is over.
local function remember_end(id, dedupe)
	local mark, ended = prefix .. "dedupe:" .. dedupe, "1" .. id
	local before = call("SET", mark, ended, "XX", "KEEPTTL", "GET")
	if before and before ~= "0" .. id and before ~= ended then
		call("SET", mark, before, "KEEPTTL")
	end
end

-- Takes a job that is done out of its group and lets the next one run: what leave does, for nearly all jobs without
-- its functions.
local function pass_on(group, id, seq)
	local line = prefix .. "fifo:" .. group
	local first = call("LPOP", line)
	if first == seq .. " " .. id then
		local second = call("LINDEX", line, "0")
		local next_seq, next = string.match(second or "", "^(%d+) (.*)$")
		local state, same = false, false
		if next then
			state, same = unpack(call("HMGET", tasks .. next, "state", "fifo_seq"))
		end
		if state == "scheduled" and same == next_seq then
			call("ZREM", prefix .. "scheduled", next)
			call("HSET", tasks .. next, "state", "pending", "pending_since", since)
			if call("LPUSH", prefix .. "pending", next) == 1 then
				redis.pcall("PUBLISH", channel, "")
			end
			return
		end
		rare = rare or load_rare()
		rare.settle(group)
		return
	end
	if first then
		call("LPUSH", line, first)
	end
	rare = rare or load_rare()
	rare.leave(group, id, seq)
end

local function finish(id, owner, outcome, msg, wait, keep, result, counted, unique)
	local key = tasks .. id
	local run, group, seq, waited, cancelled, dedupe =
		unpack(call("HMGET", key, "run", "fifo_group", "fifo_seq", "waited", "cancelled", "dedupe"))

	-- A client repeats a command whose reply was lost.
	if run ~= owner then
		local ended, state = unpack(call("HMGET", key, "ended", "state"))
		if not state then
			call("LREM", KEYS[1], "-1", id)
		end
		return (ended == owner or not state) and 1 or 0
	end
	if cancelled and (outcome == "retry" or outcome == "requeue") then
		return 2
	end
	call("LREM", KEYS[1], "-1", id) -- from the end, where those are that began first
	if counted == "1" then
		processed = processed + 1
		failed = failed + (outcome == "done" and 0 or 1)
	end
	if outcome ~= "done" or waited or keep ~= "0" then
		rare = rare or load_rare()
	end
	if outcome ~= "done" then
		failure(id, key, group, seq, owner, outcome, msg, wait)
	else
		if unique ~= "" and call("GET", unique) == id then
			call("DEL", unique)
		end
		if dedupe then
			remember_end(id, dedupe)
		end
		-- Whoever waits for the job has to find it.
		keep = math.max(tonumber(keep), waited and 60 or 0)
		if keep > 0 then
			retain(id, key, owner, msg, keep, result)
		else
			call("DEL", key)
		end
		if group then
			pass_on(group, id, seq)
		end
	end
	if waited and (outcome == "done" or outcome == "archive") then
		rare.publish(channel .. ":done:" .. id, "")
	end
	return 1
end

local replies = {}
for i = 3, #ARGV - 3, 9 do
	replies[#replies + 1] = finish(unpack(ARGV, i, i + 8))
end

local function count(name, n)
	if n > 0 then
		local day = prefix .. name .. ":" .. ARGV[1]
		if call("INCRBY", day, n) == n then
			call("EXPIREAT", day, ARGV[2])
		end
		call("INCRBY", prefix .. name, n)
	end
end
count("processed", processed)
count("failed", failed)
return replies
