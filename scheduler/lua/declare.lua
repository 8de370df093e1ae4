-- Notes that a program with these schedules is there, and who leads.
-- KEYS  names, leader
-- ARGV  start of the schedules' keys, this scheduler, ms for which it leads, "start" the first time, then
--       name, spec and overlap of each schedule
-- Returns {1 or 0 for whether it leads, the time in Unix ms}.
local time = redis.call("TIME")
local seconds = tonumber(time[1])
local ms = string.format("%.0f", seconds * 1000 + math.floor(tonumber(time[2]) / 1000))

for i = 5, #ARGV, 3 do
	local name, spec, overlap = ARGV[i], ARGV[i + 1], ARGV[i + 2]
	local key = ARGV[1] .. name
	local old = redis.call("HGET", key, "spec")
	-- The ticks of a spec are those after it came. While an older program runs beside a newer one, both
	-- say that it is theirs, but only its coming counts.
	if not old or old ~= spec and ARGV[4] == "start" then
		redis.call("HSET", key, "from", seconds)
	end
	redis.call("HSET", key, "v", "1", "spec", spec, "overlap", overlap, "declared", ms)
	redis.call("SADD", KEYS[1], name)
end

local leader = redis.call("GET", KEYS[2])
local leads = not leader or leader == ARGV[2]
if leads then
	redis.call("SET", KEYS[2], ARGV[2], "PX", ARGV[3])
end
return {leads and 1 or 0, tonumber(ms)}
