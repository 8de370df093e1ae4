-- Cancels a job.
-- KEYS  task
-- ARGV  id, "unstarted" or "" for one in any state; then prefix, channel, since
-- Returns {"gone", message, start number, group, sequence} when it waited and is deleted, {"running"} when
-- its worker was told, {"started"} when it should not have been started and was, {"over"} when it had ended
-- before, {""} when there is none.
local id, key = ARGV[1], KEYS[1]
local state, msg, starts, group, seq, dedupe =
	unpack(call("HMGET", key, "state", "msg", "starts", "fifo_group", "fifo_seq", "dedupe"))
if not msg then
	return {""}
elseif state == "completed" or state == "archived" then
	return {"over"}
elseif ARGV[2] == "unstarted" and (state == "active" or state == "retry") then
	return {"started"}
end
begin_freeing()
if state == "active" then
	call("HSET", key, "cancelled", "1")
	publish(channel, "cancel:" .. id)
	return {"running"}
end

-- Where its id stays in line, it is passed over later.
local out = true
if state == "pending" then
	out = take_out(prefix .. "pending", id)
else
	call("ZREM", prefix .. state, id)
	call("ZREM", prefix .. "due", id)
end
call("DEL", key)
if not out then
	-- What takes the id again sees by this that it is still in line, and whoever comes to it there passes it over.
	call("HSET", key, "state", "cancelled")
	call("EXPIRE", key, 7 * 86400)
end
if dedupe and call("GET", prefix .. "dedupe:" .. dedupe) == "0" .. id then
	call("DEL", prefix .. "dedupe:" .. dedupe)
end
if group then
	leave(group, id, seq)
end
publish(channel .. ":done:" .. id, "")
return {"gone", msg, tonumber(starts or 0), group or "", tonumber(seq or 0)}
