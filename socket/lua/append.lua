-- Sends any number of messages: for each channel that a message is for, in one
-- step, it numbers the message, keeps it, and reads which servers hold connections
-- of the channel. Where all keys are in one Redis, it tells these servers too;
-- otherwise the sender does, in a second trip.
--
-- The sequence is the larger of the last one plus one and Redis' own time in
-- microseconds, and every message names its predecessor. So no number repeats
-- after Redis went back to an older snapshot, and a reader that has seen the
-- predecessor knows that nothing is missing in between.
--
-- A channel's "top" is how far it is: "<sequence> <sequence of the newest message
-- in the log> <that of the newest in the hash of Latest> <how many the log keeps>
-- <until when, in microseconds>".
-- The messages of Latest are in the channel's order but not in its log: a newer
-- one with the same key takes the place of an older one.
--
-- KEYS: for each message and channel the channel's log, top, latest and servers.
-- ARGV: how long the top of a channel without connections is kept, in ms; what is
-- before and behind a server's name in the key of its inbox, "" and "" to tell no
-- server; how many entries an inbox holds; the number of messages; seven words for
-- each of them: record, nonce, how many the log keeps, for how many ms, key of
-- Latest, "1" for a repeat, "1" for one that is in no log; and for each channel the
-- number of its message and its name.
-- Returns for each channel {sequence, previous sequence, previous one in the
-- log, server, …}, 1 when it has told the servers, {"UNCERTAIN"}, or {"FAILED",
-- error}.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local nowText = string.format('%.0f', now)
local absent, before, behind, limit, messages = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

-- A repeat, of a command whose reply was lost, looks for its nonce first. When
-- the log has lost messages since, which were too many or expired, there is no
-- telling. A value of Latest
-- that is not there may have been replaced; it overlapped with the one that did
-- it, and may as well come after that.
local function find(log, top, latest, key, nonce)
  if key ~= '' then
    local value = redis.call('HGET', latest, key) or ''
    local seq, last, logged, name = string.match(value, '^(%d+) (%d+) (%d+) (%S+) ')
    if name == nonce then return seq, last, logged end
    return nil
  end
  local entries = redis.call('XRANGE', log, '-', '+')
  for _, entry in ipairs(entries) do
    local f = entry[2]
    if f[4] == nonce then
      local last, logged = string.match(f[2], '^(%d+) ?(%d*)$')
      return string.match(entry[1], '^%d+'), last, logged == '' and last or logged
    end
  end
  local gone -- the newest message that the log has lost
  if entries[1] then
    gone = string.match(entries[1][2][2], '%d+$')
  else
    gone = string.match(redis.call('GET', top) or '', '^%d+ (%d+)') or '0'
  end
  if tonumber(gone) > now - 60000000 then return 'UNCERTAIN' end
  return nil
end

-- makeRoom takes the oldest key out of a hash of Latest that is full. The field
-- without a name holds the sequence up to which some were taken out.
local function makeRoom(latest, count)
  local keys = redis.call('HLEN', latest)
  if keys <= count or keys == count + 1 and redis.call('HEXISTS', latest, '') == 1 then return end
  local values = redis.call('HGETALL', latest)
  local oldest, key
  for i = 1, #values, 2 do
    local seq = tonumber(string.match(values[i + 1], '^%d+'))
    if values[i] ~= '' and (not oldest or seq < oldest) then oldest, key = seq, values[i] end
  end
  redis.call('HDEL', latest, key)
  redis.call('HSET', latest, '', string.format('%.0f', oldest))
end

-- store keeps a message. It returns its sequence, the previous one and the
-- previous one in the log, or nil and what is wrong. The time until which the log
-- is kept is extended by a little more than what is asked for, so that most
-- messages find nothing to do.
local function store(log, top, latest, online, record, nonce, count, age, key)
  local last, logged, newest, kept, till = '0', '0', '0', count, '0'
  local state = redis.pcall('GET', top)
  if state then
    if type(state) == 'table' then return nil, state.err end
    last, logged, newest, kept, till = string.match(state, '^(%d+) (%d+) (%d+) (%d+) (%d+)$')
    if not last then return nil, 'the top has another format' end
  end
  local left = tonumber(till) - now
  if left < 0 or tonumber(kept) < tonumber(count) then kept = count end
  local longer = left < age * 1000
  if longer then till = string.format('%.0f', now + age * 1100) end
  local seq, n = nowText, tonumber(last)
  if n >= now then seq = string.format('%.0f', n + 1) end
  local done
  if key ~= '' then
    done = redis.pcall('HSET', latest, key, seq .. ' ' .. last .. ' ' .. logged .. ' ' .. nonce .. ' ' .. record)
    state = seq .. ' ' .. logged .. ' ' .. seq .. ' ' .. kept .. ' ' .. till
  else
    local previous = last
    if last ~= logged then previous = last .. ' ' .. logged end
    done = redis.pcall('XADD', log, 'MAXLEN', kept, seq .. '-0', 'q', previous, 'n', nonce, 'm', record)
    state = seq .. ' ' .. seq .. ' ' .. newest .. ' ' .. kept .. ' ' .. till
  end
  if type(done) == 'table' and done.err then return nil, done.err end
  if key ~= '' then makeRoom(latest, tonumber(kept)) end
  if longer or key ~= '' then
    redis.call('PEXPIRE', log, math.ceil(age * 1.1))
    redis.call('PEXPIRE', latest, math.ceil(age * 1.1))
  end
  if online == 0 then
    redis.call('SET', top, state, 'PX', math.ceil(math.max(absent, 2 * age)))
  else
    redis.call('SET', top, state)
  end
  return seq, last, logged
end

-- What the servers are told: by server, the parts of an entry for its inbox and
-- which message is the last in it. Package socket reads it, see delivery.go.
local entries, told = {}, {}

local function tell(server, message, record, target)
  local e = entries[server]
  if not e then
    e = {'1'}
    entries[server] = e
  end
  if told[server] ~= message then
    told[server] = message
    e[#e + 1] = 'r' .. #record .. ' '
    e[#e + 1] = record
  end
  e[#e + 1] = target
end

local replies = {}
for i = 1, #KEYS / 4 do
  local log, top, latest, servers = KEYS[4 * i - 3], KEYS[4 * i - 2], KEYS[4 * i - 1], KEYS[4 * i]
  local j = 4 + 7 * messages + 2 * i
  local message, channel = ARGV[j], ARGV[j + 1]
  local m = 7 * message - 2
  local record, nonce, count, age, key = ARGV[m + 1], ARGV[m + 2], ARGV[m + 3], tonumber(ARGV[m + 4]), ARGV[m + 5]
  local online = redis.call('HKEYS', servers)
  local seq, last, logged = nil, '0', '0'
  if ARGV[m + 7] == '1' then
    seq = '0'
  elseif ARGV[m + 6] == '1' then
    seq, last, logged = find(log, top, latest, key, nonce)
  end
  if not seq then
    seq, last, logged = store(log, top, latest, #online, record, nonce, count, age, key)
  end
  if not seq then
    replies[i] = {'FAILED', last}
  elseif seq == 'UNCERTAIN' then
    replies[i] = {seq}
  elseif before == '' then
    replies[i] = {seq, last, logged, unpack(online)}
  else
    local target = 't' .. seq .. ' ' .. last .. ' ' .. logged .. ' ' .. #channel .. ' ' .. channel
    for s = 1, #online do tell(online[s], message, record, target) end
    replies[i] = 1
  end
end
for server, e in pairs(entries) do
  redis.call('XADD', before .. server .. behind, 'NOMKSTREAM', 'MAXLEN', '~', limit, '*', 'b', table.concat(e))
end
return replies
