-- Renews the lease of a worker and tells of the dead.
-- KEYS  workers: set of "worker queue" by when the lease ends (Unix ms); start of the keys of the dead, by queue
-- ARGV  length of a lease in ms, "register" the first time, "spare" to take nobody for dead, least and most
--       that the clock should show now (Unix ms, 0 for unknown), the worker, its queues
-- Returns {0} when the worker was taken for dead meanwhile, else {1, time in Unix ms, worker and queue of each
-- of the dead in these queues...}.
local clock = redis.call("TIME")
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local function whole(n) return string.format("%.0f", n) end
local length, least, most, worker = tonumber(ARGV[1]), tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local queues = {unpack(ARGV, 7)}
local members = {}
for i, queue in ipairs(queues) do
	members[i] = worker .. " " .. queue
end

-- A lease is lost with any of its queues: it may be taken for dead in one before the others.
local renewed, held = {}, true
for i, ends in ipairs(redis.call("ZMSCORE", KEYS[1], unpack(members))) do
	if not ends and ARGV[2] ~= "register" then
		return {0}
	end
	held = held and ends and tonumber(ends) > now
	renewed[#renewed + 1] = whole(now + length)
	renewed[#renewed + 1] = members[i]
end
redis.call("ZREM", KEYS[1], "") -- A full Redis takes what follows a write that frees memory, or could.
redis.call("ZADD", KEYS[1], unpack(renewed))

-- No lease ends later than this. One that does was renewed when the clock was ahead.
for _, member in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "(" .. whole(now + length), "+inf", "LIMIT", 0, 1000)) do
	redis.call("ZADD", KEYS[1], whole(now + length), member)
end

-- When Redis was away, or its clock was put forward, all leases are over at once. So a worker
-- that could not renew its own in time, or to whom the clock looks wrong, takes nobody for dead just now.
local plausible = least == 0 or now >= least and now <= most
if held and plausible and ARGV[3] ~= "spare" then
	for _, member in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", whole(now), "LIMIT", 0, 1000)) do
		local queue = string.match(member, "^%S+ (.*)$") or ""
		redis.call("ZREM", KEYS[1], member)
		redis.call("ZADD", KEYS[2] .. queue, whole(now), string.match(member, "^%S+"))
		-- Those of a queue that nobody handles any more are not kept without end; see orphans.go.
		redis.call("ZREMRANGEBYRANK", KEYS[2] .. queue, 0, -10001)
	end
end

local reply, keys = {1, now}, {}
for i, queue in ipairs(queues) do
	keys[i] = KEYS[2] .. queue
end
if redis.call("EXISTS", unpack(keys)) == 0 then -- as usually
	return reply
end
for i, queue in ipairs(queues) do
	for _, dead in ipairs(redis.call("ZRANGE", keys[i], 0, 99)) do
		reply[#reply + 1] = dead
		reply[#reply + 1] = queue
	end
end
return reply
