-- Ends runs, in place of asynq's done, mark-as-complete, retry, archive and requeue.
-- KEYS  active
-- ARGV  today, when today's counts expire (Unix seconds), then of each run: id, owner, outcome
--       ("done", "retry", "archive" or "requeue"), the new message (of a job that is done, what to
--       add to it), ms until the retry, seconds to keep a job that is done, its result, whether it
--       counts (0 or 1), asynq's key of a unique job ("" for none); then prefix, channel, since
-- Returns for each run 1; 0 when it is not the job's any more; 2, and nothing is changed, when the
-- job would run again and was cancelled.
local processed, failed = 0, 0

-- Once a job has ended its dedupe id stays taken, whether the job is kept or not. By then another job may
-- have it, since the time for which it was taken is over.
local function remember_end(id, dedupe)
	local key = dedupe_key(dedupe)
	local before = call("SET", key, "1" .. id, "XX", "KEEPTTL", "GET")
	if before and string.sub(before, 2) ~= id then
		call("SET", key, before, "KEEPTTL")
	end
end

local function done(id, key, owner, msg, keep, result, unique)
	if unique ~= "" and call("GET", unique) == id then
		call("DEL", unique)
	end
	if keep == 0 then
		call("DEL", key)
		return
	end
	msg = call("HGET", key, "msg") .. msg
	call("HDEL", key, "run", "cancelled")
	call("HSET", key, "msg", msg, "state", "completed", "ended", owner, "result", result)
	call("ZADD", prefix .. "completed", whole(math.floor(now() / 1000) + keep), id)
end

local function finish(id, owner, outcome, msg, wait, keep, result, counted, unique)
	local key = task_key(id)
	local run, group, waited, cancelled, ended, state, dedupe =
		unpack(call("HMGET", key, "run", "fifo_group", "waited", "cancelled", "ended", "state", "dedupe"))

	-- A client repeats a command whose reply was lost.
	if run ~= owner then
		if not state then
			call("LREM", KEYS[1], "1", id)
		end
		return (ended == owner or not state) and 1 or 0
	end
	if cancelled and (outcome == "retry" or outcome == "requeue") then
		return 2
	end
	call("LREM", KEYS[1], "1", id)
	if counted == "1" then
		processed = processed + 1
		failed = failed + (outcome == "done" and 0 or 1)
	end
	if outcome == "done" then
		-- Whoever waits for the job has to find it.
		if dedupe then
			remember_end(id, dedupe)
		end
		done(id, key, owner, msg, math.max(tonumber(keep), waited and 60 or 0), result, unique)
		leave(group, id)
	else
		call("HDEL", key, "run")
		call("HSET", key, "msg", msg, "ended", owner)
		if outcome == "retry" then
			delay(id, "retry", after(wait), wait)
		elseif outcome == "archive" then
			call("HDEL", key, "cancelled", "recoveries")
			archive(id, group, msg)
		else
			enqueue(id, "RPUSH")
		end
	end
	if waited and (outcome == "done" or outcome == "archive") then
		publish(channel .. ":done:" .. id, "")
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
