-- Reads a page of what a channel has after a point.
--
-- KEYS: the state of the channel, its log and its hash of Latest, see append.lua.
-- ARGV: the sequence, of 16 digits, of the newest message in the log that is not
-- wanted, and how many messages of the log to read.
-- Returns the state or ""; the messages of the log, the oldest one first; 1 when
-- there are more, else 0; and the keys and values of the hash.

local state = redis.call('GET', KEYS[1]) or ''
local kept = tonumber(string.match(state, '^%d+', 66) or 0)
local after, size = ARGV[1], tonumber(ARGV[2])

-- The messages are in the order of their sequences. Those that the log holds
-- beyond what it keeps are the oldest.
local count = 0
if string.sub(state, 18, 33) ~= after then count = redis.call('LLEN', KEYS[2]) end
local first, past = math.max(0, count - kept), count
while first < past do
  local middle = math.floor((first + past) / 2)
  if string.sub(redis.call('LINDEX', KEYS[2], middle), 1, 16) > after then
    past = middle
  else
    first = middle + 1
  end
end
local entries = {}
if first < count then entries = redis.call('LRANGE', KEYS[2], first, first + size - 1) end
local more = first + size < count and 1 or 0
return {state, entries, more, redis.call('HGETALL', KEYS[3])}
