-- Cancels a job.
-- KEYS  task
-- ARGV  id, "unstarted" or "" for one in any state; then prefix, channel, since
-- Returns "gone" when it waited and is deleted, "running" when its worker was told, "started" when it
-- should not have been started and was, "over" when it had ended before, "" when there is none.
local id, key = ARGV[1], KEYS[1]
local state, group = unpack(redis.call("HMGET", key, "state", "fifo_group"))
if not state then
	return ""
elseif state == "completed" or state == "archived" then
	return "over"
elseif ARGV[2] == "unstarted" and (state == "active" or state == "retry") then
	return "started"
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
