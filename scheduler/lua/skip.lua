-- Notes that ticks are left out: those between the last one that was pushed and the one that will be.
-- KEYS  schedule
-- ARGV  the one, the other, in Unix seconds
-- Returns 1, or 0 when there is no such schedule.
if redis.call("HEXISTS", KEYS[1], "v") == 0 then
	return 0
end
local after, before = string.match(redis.call("HGET", KEYS[1], "skipped") or "", "^(%-?%d+):(%-?%d+)$")
-- Another scheduler may push an earlier one at the same time.
if after == ARGV[1] and tonumber(before) < tonumber(ARGV[2]) then
	return 1
end
redis.call("DEL", KEYS[1] .. ":none") -- After a first write that takes no memory a full Redis allows others.
redis.call("HSET", KEYS[1], "skipped", ARGV[1] .. ":" .. ARGV[2])
return 1
