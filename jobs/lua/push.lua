-- Stores jobs and puts them in line, in place of asynq's enqueue and schedule.
-- KEYS  the pusher's memory
-- ARGV  token of this push, "again" when the reply to it was lost, "each" when every job has a place
--       of its own, the place of all jobs, then id, message and dedupe key ("" for none) of each job,
--       and its place if so; then prefix, channel, since
-- A place is: group ("" for none), "" for at once, "in" or "at", ms of that, ms to remember the dedupe
-- id, ascending line ("" for none), number in it.
-- Returns the id of each job that is in the queue now, or "" where another one has the id or the line
-- has come as far.
local token, again = ARGV[1], ARGV[2]
local group, when, ms, remember, line, number = unpack(ARGV, 4, 9)
local lines = prefix .. "lines"

-- The job may be done and forgotten when its push is repeated. So a pusher's
-- last push is remembered by itself.
again = again == "again" and redis.call("GET", KEYS[1]) == token

local function join(id, key, msg)
	local seq = redis.call("INCR", prefix .. "fifo-seq")
	redis.call("HSET", key, "msg", msg, "fifo_group", group, "fifo_seq", seq)
	redis.call("SADD", prefix .. "fifo-groups", group)
	if redis.call("RPUSH", list_key(group), id) == 1 then
		enqueue(id)
	else
		park(id)
		settle(group)
	end
end

local function store(id, msg, dedupe)
	local first = dedupe ~= "" and redis.call("GET", dedupe)
	if first then
		return first
	end
	if again then
		return id
	end
	local key = task_key(id)
	if redis.call("EXISTS", key) == 1 then
		return ""
	end
	if line ~= "" then
		local last = redis.call("HGET", lines, line)
		if last and tonumber(last) >= tonumber(number) then
			return ""
		end
		redis.call("HSET", lines, line, number)
	end
	if dedupe ~= "" then
		redis.call("SET", dedupe, id, "PX", remember)
	end
	if group ~= "" then
		join(id, key, msg)
	elseif when == "" then
		redis.call("HSET", key, "msg", msg, "state", "pending", "pending_since", since)
		line_up(id)
	else
		redis.call("HSET", key, "msg", msg)
		delay(id, "scheduled", when == "in" and now() + ms or tonumber(ms))
	end
	return id
end

local ids, stored = {}, false
local fields = ARGV[3] == "each" and 9 or 3
for i = 10, #ARGV - 3, fields do
	if fields == 9 then
		group, when, ms, remember, line, number = unpack(ARGV, i + 3, i + 8)
	end
	ids[#ids + 1] = store(ARGV[i], ARGV[i + 1], ARGV[i + 2])
	stored = stored or ids[#ids] == ARGV[i]
end
-- A push that was refused is not remembered, or its repetition would be accepted.
if stored and not again then
	redis.call("SET", KEYS[1], token, "EX", 60)
end
return ids
