-- Settles groups whose first job was deleted or given up in the dashboard.
-- KEYS  the set of groups
-- ARGV  the groups to look at; then prefix, channel, since
-- Returns in how many of them something had to be done.
call("SREM", prefix .. "fifo-unsettled", unpack(ARGV, 1, #ARGV - 3)) -- Where that is not so yet, settle says it again.
local settled = 0
for i = 1, #ARGV - 3 do
	local group = ARGV[i]
	local first = call("LINDEX", line_key(group), "0")
	local _, state = head(first or "")
	if state ~= "pending" and state ~= "active" and state ~= "retry" then
		settle(group, first)
		settled = settled + 1
	end
end
return settled
