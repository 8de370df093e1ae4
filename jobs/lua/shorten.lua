-- Shortens waits of delayed jobs. A job whose wait ends later than one of its length that begins now was delayed
-- when the clock was ahead.
-- KEYS  due
-- ARGV  how many of the last ones have been looked at, how many to look at; then prefix, channel, since
-- Returns {how many were looked at, how many were shortened}.
begin_freeing()
local time, seen, shortened, id = now(), 0, 0, nil
local first = tonumber(ARGV[1])
for i, value in ipairs(call("ZREVRANGE", KEYS[1], first, first + tonumber(ARGV[2]) - 1, "WITHSCORES")) do
	if i % 2 == 1 then
		seen = seen + 1
		id = value
	else
		local wait, state = unpack(call("HMGET", tasks .. id, "wait", "state"))
		if wait and tonumber(value) > time + 1 + wait and (state == "scheduled" or state == "retry") then
			delay(id, state, time + 1 + wait, wait)
			shortened = shortened + 1
		end
	end
end
return {seen, shortened}
