-- Tells the time. In a cluster the nodes have clocks of their own; the one that counts is where the
-- schedules are.
-- KEYS  any key of theirs
-- Returns Unix seconds and microseconds.
return redis.call("TIME")
