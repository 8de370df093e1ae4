-- Notes how a run ended.
-- KEYS  runs, last runs
-- ARGV  name, job id, what there is to say of it
redis.call("DEL", KEYS[1] .. ":none") -- After a first write that takes no memory a full Redis allows others.
if redis.call("HGET", KEYS[1], ARGV[1]) == ARGV[2] then
	redis.call("HDEL", KEYS[1], ARGV[1])
end
redis.call("HSET", KEYS[2], ARGV[1], ARGV[3])
return 1
