-- Names a list of entries in asynq's set of them. It is taken out first, since after a write that takes
-- no memory a full Redis allows others.
-- KEYS  asynq's set
-- ARGV  the list's key, until when it is looked at in Unix seconds
redis.call("ZREM", KEYS[1], ARGV[1])
return redis.call("ZADD", KEYS[1], ARGV[2], ARGV[1])
