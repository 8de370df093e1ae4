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

-- Near the ends of the line of those that wait it is looked for, which tells whether it is not in it any
-- more. Elsewhere its id stays, since a step must not take longer in a longer line.
local function take_out_of_line()
	local list = prefix .. "pending"
	if call("LPOS", list, id, "MAXLEN", 100) then
		call("LREM", list, 1, id)
	elseif call("LPOS", list, id, "RANK", -1, "MAXLEN", 100) then
		call("LREM", list, -1, id)
	else
		return false
	end
	return true
end

local out = true
if state == "pending" then
	out = take_out_of_line()
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
if dedupe and call("GET", dedupe_key(dedupe)) == "0" .. id then
	call("DEL", dedupe_key(dedupe))
end
leave(group, id)
publish(channel .. ":done:" .. id, "")
return {"gone", msg, tonumber(starts or 0), group or "", tonumber(seq or 0)}
