-- Notes that somebody waits for the end of a job.
-- KEYS  task
-- ARGV  prefix, channel, since
if call("EXISTS", KEYS[1]) == 1 then
	begin_freeing()
	call("HSET", KEYS[1], "waited", "1")
end
return 1
