-- Adds members to a set, also when Redis is full.
-- KEYS  set
-- ARGV  members
redis.call("SREM", KEYS[1], "")
return redis.call("SADD", KEYS[1], unpack(ARGV))
