-- Notes that a worker was told to stop: what becomes of it now is not the fault of its jobs.
-- KEYS  the note
-- ARGV  prefix, channel, since
begin_freeing()
call("SET", KEYS[1], "", "EX", 86400)
return 1
