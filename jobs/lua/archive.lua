-- Jobs that were given up.

-- Keeps a job that was given up, as asynq does: the last 10,000 of 90 days.
-- The next of its group may run.
local function archive(id, group, seq, msg)
	local key, seconds = prefix .. "archived", math.floor(now() / 1000)
	call("ZADD", key, whole(seconds), id)
	call("HSET", tasks .. id, "msg", msg, "state", "archived")
	local function forget(ids)
		for _, old in ipairs(ids) do
			call("DEL", tasks .. old)
			call("ZREM", key, old)
		end
	end
	forget(call("ZRANGEBYSCORE", key, "-inf", whole(seconds - 90 * 86400), "LIMIT", 0, 100))
	-- The dashboard may have archived any number at once.
	local over = call("ZCARD", key) - 10000
	if over > 0 then
		forget(call("ZRANGE", key, 0, math.min(over, 100) - 1))
	end
	if group then
		call("HSET", tasks .. id, "left", "1")
		leave(group, id, seq)
	end
end
