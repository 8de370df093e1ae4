-- Puts jobs back in line that an asynq server of somebody else held when it died. Those of our own
-- workers have no lease of asynq's.
-- KEYS  asynq's leases
-- ARGV  Unix seconds of the last lease that is certainly over; then prefix, channel, since
-- Returns how many.
local ids = call("ZRANGEBYSCORE", KEYS[1], "-inf", ARGV[1], "LIMIT", 0, 100)
for _, id in ipairs(ids) do
	call("ZREM", KEYS[1], id)
	local ours = call("HEXISTS", tasks .. id, "run") == 1
	if not ours and call("LREM", prefix .. "active", 1, id) == 1 and call("EXISTS", tasks .. id) == 1 then
		enqueue(id, "RPUSH")
	end
end
return #ids
