-- Cancels a job.
-- KEYS  task
-- ARGV  id; then prefix, channel, since
-- Returns "gone" when it waited and is deleted, "running" when its worker was told, "over" when it
-- had ended before, "" when there is none.
local id, key = ARGV[1], KEYS[1]
local state, group = unpack(redis.call("HMGET", key, "state", "fifo_group"))
if not state then
	return ""
elseif state == "completed" or state == "archived" then
	return "over"
elseif state == "active" then
	redis.call("HSET", key, "cancelled", "1")
	redis.call("PUBLISH", channel, "cancel:" .. id)
	return "running"
end
redis.call("LREM", prefix .. "pending", 0, id)
redis.call("ZREM", prefix .. "scheduled", id)
redis.call("ZREM", prefix .. "retry", id)
redis.call("ZREM", prefix .. "due", id)
redis.call("DEL", key)
leave(group, id)
redis.call("PUBLISH", channel .. ":done:" .. id, "")
return "gone"
