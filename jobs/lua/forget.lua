-- Forgets jobs that succeeded and were kept for their time, by the clock that set it.
-- KEYS  completed
-- ARGV  prefix, channel, since
-- Returns how many.
local ids = call("ZRANGEBYSCORE", KEYS[1], "-inf", whole(math.floor(now() / 1000)), "LIMIT", 0, 100)
for _, id in ipairs(ids) do
	call("ZREM", KEYS[1], id)
	call("DEL", tasks .. id)
end
return #ids
