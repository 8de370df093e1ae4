-- Stores jobs and puts them in line, in place of asynq's enqueue and schedule.
-- KEYS  the pusher's memory
-- ARGV  token of this push, "again" when the reply to it was lost, "each" when every job has a place
--       of its own, the place of all jobs, then id, message and dedupe hash ("" for none) of each job,
--       and its place if so; then prefix, channel, since
-- A place is: group ("" for none), "" for at once, "in" or "at", ms of that, ms to remember the dedupe
-- id, ascending line ("" for none), number in it.
-- Returns the id of each job that is in the queue now, or "" where another one has the id or the line
-- has come as far.
local rare -- see rare.lua
local token, again = ARGV[1], ARGV[2]
local group, when, ms, remember, line, number = unpack(ARGV, 4, 9)

-- The job may be done and forgotten when its push is repeated. So a pusher's
-- last push is remembered by itself.
again = again == "again" and call("GET", KEYS[1]) == token

-- Puts a job that is pending in line for the workers; see enqueue.
local function line_up(id)
	if call("LPUSH", prefix .. "pending", id) == 1 then
		redis.pcall("PUBLISH", channel, "")
	end
end

-- A job with a dedupe id has it in its task, so that its end can be told from its deletion.
local function create(key, msg, dedupe, ...)
	if dedupe ~= "" then
		call("HSET", key, "msg", msg, "dedupe", dedupe, ...)
	else
		call("HSET", key, "msg", msg, ...)
	end
end

local function join(id, key, msg, dedupe)
	local list, seq = prefix .. "fifo:" .. group, string.format("%d", call("INCR", prefix .. "fifo-seq"))
	if call("RPUSH", list, seq .. " " .. id) == 1 then
		create(key, msg, dedupe, "fifo_group", group, "fifo_seq", seq, "state", "pending", "pending_since", since)
		call("SADD", prefix .. "fifo-groups", group)
		line_up(id)
	else
		create(key, msg, dedupe, "fifo_group", group, "fifo_seq", seq, "state", "scheduled")
		call("ZADD", prefix .. "scheduled", parked, id)
		local first = call("LINDEX", list, "0")
		local state = call("HGET", tasks .. (string.match(first, " (.*)$") or ""), "state")
		if state ~= "active" and state ~= "pending" and state ~= "retry" then
			rare = rare or load_rare()
			rare.settle(group, first)
		end
	end
end

-- Returns the job whose repetition this one is, if any. One that was deleted is not repeated; one that
-- has ended is, and it is marked: see finish.lua.
local function repeated(dedupe)
	local mark = call("GET", prefix .. "dedupe:" .. dedupe)
	if not mark then
		return nil
	end
	local first = string.sub(mark, 2)
	if string.sub(mark, 1, 1) == "1" or call("HEXISTS", tasks .. first, "msg") == 1 then
		return first
	end
	return nil
end

local function store(id, msg, dedupe)
	local first = dedupe ~= "" and repeated(dedupe)
	if first then
		return first
	end
	if again then
		return id
	end
	local key = tasks .. id
	if call("HGET", key, "state") then
		if call("HEXISTS", key, "msg") == 1 then
			return ""
		end
		-- Of a job that was cancelled its id may be left in line, and in the archive if the dashboard has put the
		-- whole line there since: this one would be there twice. It takes time in a long line, and is rare.
		call("LREM", prefix .. "pending", 0, id)
		call("ZREM", prefix .. "archived", id)
		call("DEL", key)
	end
	if line ~= "" then
		local last = call("HGET", prefix .. "lines", line)
		if last and tonumber(last) >= tonumber(number) then
			return ""
		end
		call("HSET", prefix .. "lines", line, number)
	end
	if dedupe ~= "" then
		call("SET", prefix .. "dedupe:" .. dedupe, "0" .. id, "PX", remember)
	end
	if group ~= "" then
		join(id, key, msg, dedupe)
	elseif when == "" then
		create(key, msg, dedupe, "state", "pending", "pending_since", since)
		line_up(id)
	else
		create(key, msg, dedupe)
		rare = rare or load_rare()
		if when == "in" then
			rare.delay(id, "scheduled", rare.after(ms), ms)
		else
			rare.delay(id, "scheduled", tonumber(ms))
		end
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
	call("SET", KEYS[1], token, "EX", 60)
end
return ids
