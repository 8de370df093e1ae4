-- Time, and jobs that wait for one.

-- One clock decides for all processes: that of Redis. Unix time in ms.
local function now()
	local time = call("TIME")
	return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- The end of a wait that begins now, which is never too short: this millisecond has begun already.
local function after(ms) return now() + 1 + ms end

-- Large numbers as Redis wants them: Lua would write an exponent.
local function whole(n) return string.format("%.0f", n) end

-- Delays a job until at (Unix ms) in one of asynq's two sets, whose scores are
-- whole seconds; the exact time is in a set of ours. Of a job that waits for some time, and not until a
-- time, the length (ms) is noted too: see shorten.lua. Workers are told when it is the next of all.
local function delay(id, state, at, wait)
	if wait then
		call("HSET", tasks .. id, "state", state, "wait", wait)
	else
		call("HSET", tasks .. id, "state", state)
	end
	call("ZADD", prefix .. state, whole(math.ceil(at / 1000)), id)
	call("ZADD", prefix .. "due", whole(at), id)
	if call("ZRANK", prefix .. "due", id) == 0 then
		publish(channel, "")
	end
end
