-- Groups: of each the first job can run, and the others are parked.

-- A group's line is a list of entries of sequence and id, in the order of the pushes, so that an id that is taken
-- again is not taken for the job that had it before. A job that was given up has left it, which its field "left"
-- tells, and when it is run again waits in a sorted set, since it belongs before all that are in the line but the
-- first. The entry "" in the line says that they come now.
local function line_key(group) return prefix .. "fifo:" .. group end
local function again_key(group) return prefix .. "fifo-again:" .. group end
local function entry_of(seq, id) return seq .. " " .. id end

local function park(id)
	call("HSET", tasks .. id, "state", "scheduled")
	call("ZADD", prefix .. "scheduled", parked, id)
end

-- Returns the id of an entry, and the state of its job, nil when it is not in the group any more.
local function head(entry)
	local space = string.find(entry, " ", 1, true)
	if not space then
		return nil
	end
	local id = string.sub(entry, space + 1)
	local state, seq = unpack(call("HMGET", tasks .. id, "state", "fifo_seq"))
	return id, seq == string.sub(entry, 1, space - 1) and state or nil
end

-- Makes sure that the first job of a group can run, stepping over those that
-- were deleted, even if their ids are taken again, or given up. Returns its entry, or nil when the group is
-- empty. Where very many were deleted, the sweeper goes on another time. The first may be known already.
local function settle(group, first)
	local line = line_key(group)
	for _ = 1, 100 do
		first = first or call("LINDEX", line, "0")
		if not first then
			call("SREM", prefix .. "fifo-groups", group)
			return nil
		end
		if first == "" then
			first = call("ZPOPMIN", again_key(group))[1]
			if first then
				call("LPUSH", line, first)
			end
		end
		local id, state = head(first or "")
		if state == "scheduled" then
			call("ZREM", prefix .. "scheduled", id)
			enqueue(id)
		elseif state == "archived" then
			call("HSET", tasks .. id, "left", "1")
		end
		if state and state ~= "archived" and state ~= "completed" then
			return first
		end
		call("LPOP", line)
		first = nil
	end
	call("SADD", prefix .. "fifo-unsettled", group)
	return nil
end

-- Takes an id out of a list if it is near one of its ends, since a step must not take longer in a longer list.
-- Returns whether it is not in it any more.
local function take_out(list, id)
	if call("LPOS", list, id, "MAXLEN", 100) then
		call("LREM", list, 1, id)
	elseif call("LPOS", list, id, "RANK", -1, "MAXLEN", 100) then
		call("LREM", list, -1, id)
	else
		return false
	end
	return true
end

-- A job of a group that is out of turn waits. One that was given up and is run again by hand takes its place
-- among those that wait, in the order of the pushes, behind the one whose turn it is. Returns whether it is
-- that one.
local function queue_up(group, id, seq)
	local line, entry = line_key(group), entry_of(seq, id)
	local first, second = unpack(call("LRANGE", line, "0", "1"))
	if not first or call("HDEL", tasks .. id, "left") == 1 then
		call("ZADD", again_key(group), seq, entry)
		if not first then
			call("RPUSH", line, "")
			call("SADD", prefix .. "fifo-groups", group)
		elseif first ~= "" and second ~= "" then
			call("LINSERT", line, "AFTER", first, "")
		end
	end
	if settle(group) == entry then
		return true
	end
	park(id)
	return false
end

-- Takes a job that is over out of its group and lets the next one run. It is the first, unless it waited.
-- Then it is looked for near the ends, and elsewhere its entry is stepped over later.
local function leave(group, id, seq)
	local line, entry = line_key(group), entry_of(seq, id)
	local first, second = unpack(call("LRANGE", line, "0", "1"))
	if first == entry then
		call("LPOP", line)
		settle(group, second)
		return
	end
	call("ZREM", again_key(group), entry)
	take_out(line, entry)
	settle(group)
end
