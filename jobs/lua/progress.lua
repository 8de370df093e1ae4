-- Notes how far a run has come.
-- KEYS  task
-- ARGV  run, progress; then prefix, channel, since
-- Returns 1, or 0 when the run is not the job's any more.
if call("HGET", KEYS[1], "run") ~= ARGV[1] then
	return 0
end
begin_freeing()
call("HSET", KEYS[1], "progress", ARGV[2])
return 1
