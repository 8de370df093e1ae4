-- Notes that a program with these schedules is there, and who leads.
-- KEYS  names, leader
-- ARGV  start of the schedules' keys, this scheduler, ms for which it leads, "start" the first time, then
--       name, spec, overlap, the tick up to which this scheduler has seen to them or "", and the next
--       ticks or "" if the spec tells them, of each schedule
-- Returns {1 or 0 for whether it leads, the time in Unix ms}.
local time = redis.call("TIME")
local seconds = tonumber(time[1])
local ms = string.format("%.0f", seconds * 1000 + math.floor(tonumber(time[2]) / 1000))
redis.call("DEL", KEYS[2] .. ":none") -- After a first write that takes no memory a full Redis allows others.

for i = 5, #ARGV, 5 do
	local name, spec, overlap, done, ticks = unpack(ARGV, i, i + 4)
	local key = ARGV[1] .. name
	local old, from = unpack(redis.call("HMGET", key, "spec", "from"))
	if not old then
		-- Redis may have lost what it knew under a scheduler that goes on.
		local after = tonumber(done)
		redis.call("HSET", key, "from", after and after < seconds and done or seconds, "of", spec)
	elseif old ~= spec and ARGV[4] == "start" then
		-- The ticks of a spec are those after it came. While an older program runs beside a newer one, both
		-- say that it is theirs, but only its coming counts.
		redis.call("HSET", key, "from", seconds, "of", spec)
	elseif (tonumber(from) or 0) > seconds then
		redis.call("HSET", key, "from", seconds) -- Redis' clock has gone back.
	end
	redis.call("HSET", key, "v", "1", "spec", spec, "overlap", overlap, "declared", ms, "ticks", ticks)
	redis.call("SADD", KEYS[1], name)
end

local leader = redis.call("GET", KEYS[2])
-- A key that expires later than it was told to has seen the clock go back, and may be that of the dead.
local leads = not leader or leader == ARGV[2] or redis.call("PTTL", KEYS[2]) > tonumber(ARGV[3])
if leads then
	redis.call("SET", KEYS[2], ARGV[2], "PX", ARGV[3])
end
return {leads and 1 or 0, tonumber(ms)}
