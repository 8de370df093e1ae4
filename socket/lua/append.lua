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
-- in the log> <that of the newest in the hash of Latest> <how many the log keeps>".
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
local absent, before, behind, limit, messages = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

-- A repeat, of a command whose reply was lost, looks for its nonce first. When
-- the log has been overwritten since, there is no telling. A value of Latest
-- that is not there may have been replaced; it overlapped with the one that did
-- it, and may as well come after that.
local function find(log, latest, key, nonce, count)
  if key ~= '' then
    local value = redis.call('HGET', latest, key) or ''
    local seq, last, logged, name = string.match(value, '^(%d+) (%d+) (%d+) (%S+) ')
    if name ~= nonce then return nil end
    return {seq, last, logged}
  end
  local entries = redis.call('XRANGE', log, '-', '+')
  for _, entry in ipairs(entries) do
    local f = entry[2]
    if f[4] == nonce then
      local last, logged = string.match(f[2], '^(%d+) ?(%d*)$')
      return {string.match(entry[1], '^%d+'), last, logged == '' and last or logged}
    end
  end
  if #entries >= count and tonumber(string.match(entries[1][1], '^%d+')) > now - 60000000 then
    return {'UNCERTAIN'}
  end
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

-- keep extends what is left of the life of a key to at least age. It gives it a
-- little more, so that most messages find nothing to do.
local function keep(key, left, age)
  if left < age then redis.call('PEXPIRE', key, math.ceil(age * 1.1)) end
end

local function store(log, top, latest, online, record, nonce, count, age, key)
  local last, logged, newest, kept = '0', '0', '0', count
  local state = redis.call('GET', top)
  if state then
    last, logged, newest, kept = string.match(state, '^(%d+) (%d+) (%d+) (%d+)$')
    kept = math.max(count, tonumber(kept))
  end
  local seq = string.format('%.0f', math.max(tonumber(last) + 1, now))
  local reply = {seq, last, logged}
  if key ~= '' then
    redis.call('HSET', latest, key, seq .. ' ' .. last .. ' ' .. logged .. ' ' .. nonce .. ' ' .. record)
    makeRoom(latest, kept)
    keep(latest, redis.call('PTTL', latest), age)
    newest = seq
  else
    local left, previous = redis.call('PTTL', log), last
    if left == -2 then kept = count end
    if last ~= logged then previous = last .. ' ' .. logged end
    redis.call('XADD', log, 'MAXLEN', kept, seq .. '-0', 'q', previous, 'n', nonce, 'm', record)
    keep(log, left, age)
    logged = seq
  end
  state = seq .. ' ' .. logged .. ' ' .. newest .. ' ' .. string.format('%.0f', kept)
  if online == 0 then
    redis.call('SET', top, state, 'PX', math.ceil(math.max(absent, 2 * age)))
  else
    redis.call('SET', top, state)
  end
  return reply
end

local function append(log, top, latest, online, record, nonce, count, age, key, again)
  if again == '1' then
    local found = find(log, latest, key, nonce, count)
    if found then return found end
  end
  return store(log, top, latest, #online, record, nonce, count, age, key)
end

-- What the servers are told: by server, an entry for its inbox in parts, and the
-- targets of the present message. Package socket reads it, see delivery.go.
local entries, targets = {}, {}

local function tell(server, channel, at)
  local t = targets[server]
  if not t then
    t = {}
    targets[server] = t
  end
  t[#t + 1] = at[1] .. ' ' .. at[2] .. ' ' .. at[3] .. ' ' .. #channel .. ' ' .. channel
end

local function finish(record)
  for server, t in pairs(targets) do
    local e = entries[server]
    if not e then
      e = {'1'}
      entries[server] = e
    end
    e[#e + 1] = 'd' .. #t .. ' ' .. table.concat(t) .. #record .. ' ' .. record
  end
  targets = {}
end

-- word is the n-th word of a message.
local function word(message, n) return ARGV[5 + 7 * (message - 1) + n] end

local replies, current = {}, 1
for i = 1, #KEYS / 4 do
  local j = 5 + 7 * messages + 2 * i
  local number, channel = tonumber(ARGV[j - 1]), ARGV[j]
  if number ~= current then
    finish(word(current, 1))
    current = number
  end
  local online = redis.call('HKEYS', KEYS[4 * i])
  local ok, reply = true, {'0', '0', '0'}
  if word(number, 7) == '0' then
    ok, reply = pcall(append, KEYS[4 * i - 3], KEYS[4 * i - 2], KEYS[4 * i - 1], online, word(number, 1),
      word(number, 2), tonumber(word(number, 3)), tonumber(word(number, 4)), word(number, 5), word(number, 6))
  end
  if not ok then
    if type(reply) == 'table' then reply = reply.err end
    reply = {'FAILED', tostring(reply)}
  elseif #reply == 3 and before == '' then
    for n, server in ipairs(online) do reply[3 + n] = server end
  elseif #reply == 3 then
    for _, server in ipairs(online) do tell(server, channel, reply) end
    reply = 1
  end
  replies[i] = reply
end
if before ~= '' then
  finish(word(current, 1))
  for server, e in pairs(entries) do
    redis.call('XADD', before .. server .. behind, 'NOMKSTREAM', 'MAXLEN', '~', limit, '*', 'b', table.concat(e))
  end
end
return replies
