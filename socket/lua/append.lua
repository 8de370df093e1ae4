-- Sends any number of messages: for each channel that a message is for, in one
-- step, it numbers the message, keeps it, and finds which servers hold connections
-- of the channel. Where all keys are in one Redis, it tells these servers too;
-- otherwise the sender does, in a second trip.
--
-- The sequence is the larger of the last one plus one and Redis' own time in
-- microseconds, and every message names its predecessor. So no number repeats
-- after Redis went back to an older snapshot, and a reader that has seen the
-- predecessor knows that nothing is missing in between.
--
-- A channel's state is, without gaps, the version; four numbers of 16 digits each,
-- so that they compare as text: the last sequence, that of the newest message in
-- the log, that of the newest in the hash of Latest, and until when these are kept,
-- in microseconds; how many messages the log keeps; and the servers that are in the
-- channel's directory, each after a space. The messages of Latest are in the
-- channel's order but not in its log: a newer one with the same key takes the place
-- of an older one.
--
-- What is kept of a message, in the log and in the hash of Latest, is its sequence,
-- the previous one and the previous one in the log, of 16 digits each, and the
-- message. The log is a list: appending to a stream costs half as much again here,
-- and twice as much when old messages have to go. These go some at a time, so a log
-- may hold up to spare more than it keeps; its readers pass over them.
--
-- What costs most here is every word that Redis hands over and every string that is
-- made, so there are few of them: the keys of a channel's log, of its hash of
-- Latest and of the order of that, which are in the slot of its state, are made of
-- the key of that.
--
-- KEYS: the states of the channels that the messages are for, one after the other.
-- ARGV: how long the state of a channel without connections outlives what is kept,
-- in ms; what is before and behind a server's name in the key of its inbox, "" and ""
-- to tell no server; how many entries an inbox holds; and for each message
--   "<channels it is for> <how many the log keeps> <for how many ms> <1: in no log>
--    <1: a repeat> <key of Latest>", with one space between them,
-- and the message as it is in an entry of an inbox.
-- Returns 1 when all servers were told, and else for each channel 1, {sequence,
-- previous sequence, previous one in the log, server, …}, {"UNCERTAIN"}, or
-- {"FAILED", error}.

local call, pcall, sub, format = redis.call, redis.pcall, string.sub, string.format
local t = call('TIME')
local now = t[1] * 1000000 + t[2]
local nowText = format('%016.0f', now)
local none = '0000000000000000'
local spare = 16
local absent, before, behind, limit = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]

-- Where a channel's name begins in the key of its state: behind the brace, as a
-- server's does behind "{s:".
local name = #before - 1

-- Calls are what costs most of all, so those that can be are made for all channels.
local states = call('MGET', unpack(KEYS))
local changed = {} -- by key: a channel may be there more than once

-- The options and the tails of states are few: each is taken apart once.
local options, tails = {}, {}

local function parseOptions(text)
  local channels, count, age, ephemeral, again, key = string.match(text, '^(%d+) (%d+) (%d+) ([01]) ([01]) (.*)$')
  local o = {
    channels = tonumber(channels), kept = count, age = tonumber(age),
    ephemeral = ephemeral == '1', again = again == '1', key = key,
  }
  -- The time until which messages are kept is extended by a little more than what
  -- is asked for, and to a round number, so that most messages find nothing to do
  -- and many channels have the same.
  local round = o.age * 100
  local till = (math.floor((now + o.age * 1100) / round) + 1) * round
  o.least, o.till = format('%016.0f', now + o.age * 1000), format('%016.0f', till)
  options[text] = o
  return o
end

local function parseTail(text)
  local rest = sub(text, 33)
  local e = {text = text, newest = sub(text, 1, 16), till = sub(text, 17, 32), rest = rest}
  e.kept = string.match(rest, '^%d+')
  for server in string.gmatch(rest, ' (%S+)') do e[#e + 1] = server end
  tails[text] = e
  return e
end

-- left is how long what a state tells of is kept, in ms.
local function left(state) return math.max(0, math.ceil((tonumber(sub(state, 50, 65)) - now) / 1000)) end

-- positionOf returns where in the channel an entry of the log or of Latest is.
local function positionOf(entry) return sub(entry, 1, 16), sub(entry, 17, 32), sub(entry, 33, 48) end

local function logOf(key) return sub(key, 1, -6) .. 'log' end
local function latestOf(key) return sub(key, 1, -6) .. 'latest' end
local function orderOf(key) return sub(key, 1, -6) .. 'order' end

-- A repeat, of a command whose reply was lost, looks for its message first, which
-- no other one equals: among the newest, some at a time, for the first try was not
-- long ago. When the log has lost messages since, which were too many or expired,
-- there is no telling. A value of Latest that is not there may have been replaced; it
-- overlapped with the one that did it, and may as well come after that.
local recently = now - 60000000

local function find(key, logged, o, message)
  if o.key ~= '' then
    local value = call('HGET', latestOf(key), o.key) or ''
    if sub(value, 49) == message then return positionOf(value) end
    return nil
  end
  local gone, last = logged, -1 -- gone is the newest message that the log has lost
  while true do
    local entries = call('LRANGE', logOf(key), last - 99, last)
    for i = #entries, 1, -1 do
      if sub(entries[i], 49) == message then return positionOf(entries[i]) end
    end
    if entries[1] then gone = sub(entries[1], 33, 48) end
    if #entries < 100 or tonumber(gone) <= recently then break end
    last = last - 100
  end
  if tonumber(gone) > recently then return 'UNCERTAIN' end
  return nil
end

-- makeRoom takes the oldest keys out of a hash of Latest that has become too full. The
-- field without a name holds the sequence up to which some were taken out. Which key is
-- the oldest is in a sorted set beside the hash, in which a key has the sequence that it
-- had when it came, and not yet that of a later value: so that a new value of a known
-- key costs nothing, and a key that is not the oldest after all is put right when it is
-- its turn. Not more than so many are looked at in a step; what is left is taken out in
-- the next ones.
local looks = 32

local function makeRoom(key, latest, count, field, seq)
  local order = orderOf(key)
  call('ZADD', order, seq, field)
  local over = call('ZCARD', order) - count
  if over <= 0 then return end
  local gone
  for _ = 1, looks do
    local oldest = call('ZRANGE', order, 0, 0)[1]
    local now = sub(call('HGET', latest, oldest) or none, 1, 16)
    if tonumber(call('ZSCORE', order, oldest)) < tonumber(now) then
      call('ZADD', order, now, oldest)
    else
      call('ZREM', order, oldest)
      call('HDEL', latest, oldest)
      gone, over = now, over - 1
      if over == 0 then break end
    end
  end
  if gone then call('HSET', latest, '', gone) end
end

-- keep changes what a tail says of how many messages are kept, and for how long.
local function keep(e, o)
  local kept, till, rest = e.kept, e.till, e.rest
  if kept ~= o.kept and (till < nowText or tonumber(kept) < tonumber(o.kept)) then
    rest, kept = o.kept .. sub(rest, #kept + 1), o.kept
  end
  local longer = till < o.least
  if longer then till = o.till end
  return kept, till .. rest, longer
end

-- store keeps a message. It returns its sequence and the channel's new state, or
-- nil and what is wrong.
--
-- What is kept expires when the state says so. That is to be told when it changes,
-- and of a log or a hash that may be new.
local function store(key, last, logged, e, o, message)
  local seq = nowText
  if last >= nowText then seq = format('%016.0f', tonumber(last) + 1) end
  local kept, tail, longer = e.kept, e.text, false
  if kept ~= o.kept or e.till < o.least then
    kept, tail, longer = keep(e, o)
    tail = e.newest .. tail
  end
  local log, entry, done = logOf(key), seq .. last .. logged .. message, nil
  local expire, expireLatest = longer, longer and e.newest ~= none
  if o.key == '' then
    done = pcall('RPUSH', log, entry)
    if done == 1 then expire = true end
    logged = seq
  else
    local latest = latestOf(key)
    done = pcall('HSET', latest, o.key, entry)
    if done == 1 then makeRoom(key, latest, tonumber(kept), o.key, seq) end
    tail, expireLatest = seq .. sub(tail, 17), true
  end
  if type(done) == 'table' then return nil, done.err end
  if o.key == '' and done > kept + spare then call('LTRIM', log, -kept, -1) end
  local new = '1' .. seq .. logged .. tail
  if expire then call('PEXPIRE', log, left(new)) end
  if expireLatest then
    call('PEXPIRE', latestOf(key), left(new))
    if done == 1 or longer then call('PEXPIRE', orderOf(key), left(new)) end
  end
  return seq, new
end

-- What the servers are told: by server, the parts of an entry for its inbox and
-- which message is the last in it. Package socket reads it, see delivery.go.
local entries, told = {}, {}

local function tell(server, number, message, seq, last, logged, channel)
  local e = entries[server]
  if not e then
    e = {'1c' .. nowText}
    entries[server] = e
  end
  local n = #e
  if told[server] ~= number then
    told[server] = number
    n = n + 1
    e[n] = message
  end
  if seq == nowText and last == logged then
    e[n + 1], e[n + 2], e[n + 3] = 's', last, channel
  else
    e[n + 1], e[n + 2] = 't' .. seq .. last .. logged, channel
  end
end

local replies, all = {}, before ~= ''
local sets, i = {}, 0 -- i counts channels
for a = 5, #ARGV, 2 do
  local o, message = options[ARGV[a]] or parseOptions(ARGV[a]), ARGV[a + 1]
  for _ = 1, o.channels do
    i = i + 1
    local key = KEYS[i]
    local state = changed[key] or states[i] or '1' .. none .. none .. none .. none .. '0'
    local last, logged, tail = sub(state, 2, 17), sub(state, 18, 33), sub(state, 34)
    local e = tails[tail] or parseTail(tail)
    local seq, new
    if string.byte(state) ~= 49 then -- '1'
      new = 'the state has another version'
    elseif o.ephemeral then
      seq, last, logged = none, none, none
    else
      local lastFound, loggedFound
      if o.again then seq, lastFound, loggedFound = find(key, logged, o, message) end
      if seq then
        last, logged = lastFound, loggedFound
      else
        seq, new = store(key, last, logged, e, o, message)
        if seq then
          changed[key] = new
          if #e == 0 then
            call('SET', key, new, 'PX', absent + left(new))
          else
            local n = #sets
            sets[n + 1], sets[n + 2] = key, new
          end
        end
      end
    end
    if not seq then
      replies[i], all = {'FAILED', new}, false
    elseif seq == 'UNCERTAIN' then
      replies[i], all = {seq}, false
    elseif before == '' then
      replies[i] = {seq, last, logged, unpack(e)}
    else
      for s = 1, #e do tell(e[s], a, message, seq, last, logged, sub(key, name, -7)) end
    end
  end
end
if sets[1] then call('MSET', unpack(sets)) end
for server, e in pairs(entries) do
  call('XADD', before .. server .. behind, 'NOMKSTREAM', 'MAXLEN', '~', limit, '*', 'b', table.concat(e))
end
if all then return 1 end
for j = 1, i do replies[j] = replies[j] or 1 end
return replies
