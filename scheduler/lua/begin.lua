-- Begins a run unless another one of its schedule is going on. That is so while the other one's job is
-- active: a job whose worker died is not, as soon as another worker has recovered it.
-- KEYS  runs
-- ARGV  name, job id, start of the keys where asynq keeps the jobs
-- Returns "", or the id of the run that is going on.
local other = redis.call("HGET", KEYS[1], ARGV[1])
if other and other ~= ARGV[2] and redis.call("HGET", ARGV[3] .. other, "state") == "active" then
	return other
end
redis.call("DEL", KEYS[1] .. ":none") -- After a first write that takes no memory a full Redis allows others.
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
return ""
