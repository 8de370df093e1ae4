-- Takes a schedule back to where it was before Redis' clock was ahead for some time. Ticks that lie ahead
-- now were pushed then, and others were left out as missed, whose time is yet to come.
-- KEYS  schedule, lines of the queue
-- ARGV  name
-- Returns 1, or 0 when there is nothing to take back.
local seconds = tonumber(redis.call("TIME")[1])
local line = tonumber(redis.call("HGET", KEYS[2], ARGV[1]) or "")
local after, before = string.match(redis.call("HGET", KEYS[1], "skipped") or "", "^(%-?%d+):(%-?%d+)$")
if not line or not before or line <= seconds or tonumber(before) <= seconds then
	return 0
end
local ahead = {string.format("%s:%.0f", before, line)}
for first, last in string.gmatch(redis.call("HGET", KEYS[1], "ahead") or "", "(%-?%d+):(%-?%d+)") do
	if tonumber(last) > seconds then
		ahead[#ahead + 1] = first .. ":" .. last
	end
end
redis.call("HDEL", KEYS[1], "skipped")
redis.call("HSET", KEYS[1], "ahead", table.concat(ahead, " "))
redis.call("HSET", KEYS[2], ARGV[1], after)
return 1
