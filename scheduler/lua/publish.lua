-- Lists the schedules for the dashboard.
-- KEYS  asynq's list of a scheduler's entries
-- ARGV  seconds for which it holds, then the entries
redis.call("DEL", KEYS[1])
for i = 2, #ARGV do
	redis.call("LPUSH", KEYS[1], ARGV[i])
end
redis.call("EXPIRE", KEYS[1], ARGV[1])
return 1
