-- Settles groups whose first job was deleted or given up in the dashboard.
-- KEYS  the set of groups
-- ARGV  the groups to look at; then prefix, channel, since
for i = 1, #ARGV - 3 do
	settle(ARGV[i])
end
return 1
