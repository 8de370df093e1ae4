-- Stores a job and puts it in line, in place of asynq's enqueue and schedule.
-- KEYS  the task, the set or list it goes to, the pusher's memory, dedupe key (optional)
-- ARGV  message, id, token of this push, score in seconds ("" for at once), group ("" in a
--       standard queue), seconds to remember the dedupe id; then prefix, channel, now
-- Returns {1, id} when the job is in the queue, {0, id} when another one has the id.
local msg, id, token, score, group, remember = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- A client repeats a command whose reply was lost. The job may be done and
-- forgotten by then, so a pusher's last push is remembered by itself.
if redis.call("GET", KEYS[3]) == token then
	return {1, id}
end
if KEYS[4] then
	local first = redis.call("GET", KEYS[4])
	if first then
		return {1, first}
	end
end
if redis.call("EXISTS", KEYS[1]) == 1 then
	return {0, id}
end
redis.call("SET", KEYS[3], token, "EX", 60)
if KEYS[4] then
	redis.call("SET", KEYS[4], id, "EX", remember)
end
redis.call("HSET", KEYS[1], "msg", msg)
if group ~= "" then
	local seq = redis.call("INCR", prefix .. "fifo-seq")
	redis.call("HSET", KEYS[1], "fifo_group", group, "fifo_seq", seq)
	redis.call("SADD", groups_key, group)
	if redis.call("RPUSH", list_key(group), id) == 1 then
		enqueue(id)
	else
		park(id)
		settle(group)
	end
elseif score ~= "" then
	redis.call("HSET", KEYS[1], "state", "scheduled")
	redis.call("ZADD", KEYS[2], score, id)
else
	enqueue(id)
end
return {1, id}
