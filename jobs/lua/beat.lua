-- Renews the lease of a worker and reports those of the dead.
-- KEYS  workers, the dead: sets of "worker queue" by when the lease ends or ended (Unix ms)
-- ARGV  length of a lease in ms, "register" the first time, "spare" to take nobody for dead, then
--       "worker queue" for each queue
-- Returns {0} when the worker was taken for dead meanwhile, else {1, the dead...}.
local clock = redis.call("TIME")
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local function whole(n) return string.format("%.0f", n) end

-- A lease is lost with any of its queues: it may be taken for dead in one before the others.
local members = {unpack(ARGV, 4)}
local renewed, held = {}, true
for i, ends in ipairs(redis.call("ZMSCORE", KEYS[1], unpack(members))) do
	if not ends and ARGV[2] ~= "register" then
		return {0}
	end
	held = held and ends and tonumber(ends) > now
	renewed[#renewed + 1] = whole(now + tonumber(ARGV[1]))
	renewed[#renewed + 1] = members[i]
end
redis.call("ZADD", KEYS[1], unpack(renewed))

-- When Redis was away, all leases are over at once. So a worker that could not
-- renew its own in time takes nobody for dead just now.
if held and ARGV[3] ~= "spare" then
	for _, member in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1], "-inf", whole(now), "LIMIT", 0, 100)) do
		redis.call("ZREM", KEYS[1], member)
		redis.call("ZADD", KEYS[2], whole(now), member)
	end
end
return {1, unpack(redis.call("ZRANGE", KEYS[2], 0, 999))}
