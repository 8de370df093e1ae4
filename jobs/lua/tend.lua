-- Says which worker sees to what others did to the queue, and what there is to see to.
-- KEYS  the set of groups
-- ARGV  worker, ms for which it is the one, 0 to let another be it; then prefix, channel, since
-- Returns {1 if this worker is the one, how many groups there are, 1 if some of them seem to have no first job},
-- and then groups that were not settled to the end.
local key, length = prefix .. "sweeper", tonumber(ARGV[2])
local sweeper = call("GET", key)
-- A key that lives longer than it was given was made when the clock was ahead.
if sweeper and sweeper ~= ARGV[1] and (length == 0 or call("PTTL", key) <= length) then
	return {0}
end
begin_freeing()
if length == 0 then
	call("DEL", key)
	return {0}
end
call("SET", key, ARGV[1], "PX", length)

local unsettled = call("SRANDMEMBER", prefix .. "fifo-unsettled", 10)

-- In a FIFO queue the first job of every group is in line, runs, or waits for its retry. If there are fewer of
-- these than groups, a first job was deleted or given up in the dashboard.
local groups, missing = call("SCARD", KEYS[1]), 0
if string.sub(prefix, -7) == ".fifo}:" then
	local firsts = call("LLEN", prefix .. "pending") + call("LLEN", prefix .. "active")
		+ call("ZCARD", prefix .. "retry")
	missing = firsts < groups and 1 or 0
end
return {1, groups, missing, unpack(unsettled)}
