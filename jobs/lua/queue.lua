-- What the scripts about one queue share. Each starts with lines that set:
--   call     redis.call
--   prefix   "asynq:{queue}:", the start of all keys of the queue
--   channel  where workers of the queue listen
--   since    the caller's time, Unix ns, for asynq's figures of latency
--   tasks    the start of the keys of tasks
--   parked   the score that parks a job until it is first in its group: 1 January 2200
-- To make a function takes Redis longer than many a command, and it is made again each time that a script runs. So
-- the scripts through which every job passes make these only for a job that needs one of them: see rare.lua.

-- A Redis that is full refuses the first write of a script if that needs memory, and takes all that
-- follow. So the steps that drain a queue, and in the end free memory, begin with a write that frees
-- some, or with this one, which does nothing.
local function begin_freeing() call("DEL", prefix .. "nothing") end

-- A worker that does not hear of something finds it a little later, so it is no failure when Redis lets
-- this user publish nothing.
local function publish(to, text) redis.pcall("PUBLISH", to, text) end

-- Puts a job that is pending in line for the workers. Only the first of a line
-- is announced: a worker that was woken looks again until it finds it empty.
local function enqueue(id, push)
	call("HSET", tasks .. id, "state", "pending", "pending_since", since)
	if call(push or "LPUSH", prefix .. "pending", id) == 1 then
		publish(channel, "")
	end
end
