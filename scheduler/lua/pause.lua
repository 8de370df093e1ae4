-- Pauses a schedule, or lets it go on. What was due meanwhile is not caught up with.
-- KEYS  schedule
-- ARGV  "pause" or "resume"
-- Returns 1, or 0 when there is no such schedule.
if redis.call("EXISTS", KEYS[1]) == 0 then
	return 0
end
local seconds = redis.call("TIME")[1]
redis.call("DEL", KEYS[1] .. ":none") -- After a first write that takes no memory a full Redis allows others.
if ARGV[1] == "pause" then
	redis.call("HSETNX", KEYS[1], "paused", seconds)
elseif redis.call("HDEL", KEYS[1], "paused") == 1 then
	redis.call("HSET", KEYS[1], "from", seconds)
	redis.call("HDEL", KEYS[1], "of") -- It holds for all specs.
end
return 1
