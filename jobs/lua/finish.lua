-- Ends a run, in place of asynq's done, mark-as-complete, retry, archive and requeue.
-- KEYS  task
-- ARGV  id, run, outcome ("done", "retry", "archive" or "requeue"), the new message (of a job that
--       is done, what to add to it), ms until the retry, seconds to keep a job that is done, its
--       result, whether it counts (0 or 1), today, when today's counts expire (Unix seconds),
--       asynq's key of a unique job ("" for none); then prefix, channel
-- Returns 1; 0 when the run is not the job's any more; 2, and nothing is changed, when a retry is
-- asked for and the job was cancelled.
local id, run, outcome, msg, wait, keep, result = unpack(ARGV, 1, 7)
local counted, today, expire_at, unique = unpack(ARGV, 8, 11)
local key = KEYS[1]
local owner, group, waited, cancelled, ended, state =
	unpack(redis.call("HMGET", key, "run", "fifo_group", "waited", "cancelled", "ended", "state"))

-- A client repeats a command whose reply was lost.
if owner ~= run then
	return (ended == run or not state) and 1 or 0
end
if outcome == "retry" and cancelled then
	return 2
end

local function count(name)
	local day = prefix .. name .. ":" .. today
	if redis.call("INCR", day) == 1 then
		redis.call("EXPIREAT", day, expire_at)
	end
	redis.call("INCR", prefix .. name)
end

redis.call("LREM", prefix .. "active", 1, id)
redis.call("HDEL", key, "run")
if counted == "1" then
	count("processed")
	if outcome ~= "done" then
		count("failed")
	end
end

if outcome == "done" then
	-- Whoever waits for the job has to find it.
	keep = math.max(tonumber(keep), waited and 60 or 0)
	if unique ~= "" and redis.call("GET", unique) == id then
		redis.call("DEL", unique)
	end
	if keep == 0 then
		redis.call("DEL", key)
	else
		msg = redis.call("HGET", key, "msg") .. msg
		redis.call("HSET", key, "msg", msg, "state", "completed", "ended", run, "result", result)
		redis.call("ZADD", prefix .. "completed", tonumber(clock[1]) + keep, id)
	end
	leave(group, id)
else
	redis.call("HSET", key, "msg", msg, "ended", run)
	if outcome == "retry" then
		delay(id, "retry", now + tonumber(wait))
	elseif outcome == "archive" then
		redis.call("HDEL", key, "cancelled", "recoveries")
		archive(id, group, msg)
	else
		enqueue(id, "RPUSH")
	end
end
if waited and (outcome == "done" or outcome == "archive") then
	redis.call("PUBLISH", channel .. ":done:" .. id, "")
end
return 1
