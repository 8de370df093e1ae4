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
-- KEYS: the states of the channels that the messages are for, one after the other,
-- and then their logs.
-- ARGV: how long the state of a channel without connections is kept, in ms; what is
-- before and behind a server's name in the key of its inbox, "" and "" to tell no
-- server; how many entries an inbox holds; and for each message
--   "<how many the log keeps> <for how many ms> <1: in no log> <1: a repeat> <key of Latest>",
-- its nonce, what is before it in an entry of an inbox, the message, how many
-- channels it is for, and their names as they are in such an entry.
-- Returns 1 when all servers were told, and else for each channel 1, {sequence,
-- previous sequence, previous one in the log, server, …}, {"UNCERTAIN"}, or
-- {"FAILED", error}.

local call, pcall, sub, format = redis.call, redis.pcall, string.sub, string.format
local t = call('TIME')
local now = t[1] * 1000000 + t[2]
local nowText = format('%016.0f', now)
local none = '0000000000000000'
local absent, before, behind, limit = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local channels = #KEYS / 2

-- Calls are what costs most here, so those that can be are made for all channels.
local states = call('MGET', unpack(KEYS, 1, channels))
local changed = {} -- by key: a channel may be there more than once

-- The options and the ends of states are few: each is taken apart once.
local options, ends = {}, {}

local function parseOptions(text)
  local count, age, ephemeral, again, key = string.match(text, '^(%d+) (%d+) ([01]) ([01]) (.*)$')
  local o = {kept = count, age = tonumber(age), ephemeral = ephemeral == '1', again = again == '1', key = key}
  -- The time until which messages are kept is extended by a little more than what
  -- is asked for, so that most messages find nothing to do.
  o.least, o.till = format('%016.0f', now + o.age * 1000), format('%016.0f', now + o.age * 1100)
  options[text] = o
  return o
end

local function parseEnd(text)
  local e = {kept = string.match(text, '^%d+')}
  for server in string.gmatch(text, ' (%S+)') do e[#e + 1] = server end
  ends[text] = e
  return e
end

-- latestOf is the key of the hash of Latest, which is in the slot of the log.
local function latestOf(log) return sub(log, 1, -4) .. 'latest' end

-- A repeat, of a command whose reply was lost, looks for its nonce first. When
-- the log has lost messages since, which were too many or expired, there is no
-- telling. A value of Latest
-- that is not there may have been replaced; it overlapped with the one that did
-- it, and may as well come after that.
local function find(state, log, key, nonce)
  if key ~= '' then
    local value = call('HGET', latestOf(log), key) or ''
    local seq, last, logged, name = string.match(value, '^(%d+) (%d+) (%d+) (%S+) ')
    if name == nonce then return seq, last, logged end
    return nil
  end
  local entries = call('XRANGE', log, '-', '+')
  for _, entry in ipairs(entries) do
    local f = entry[2]
    if f[4] == nonce then
      local last, logged = string.match(f[2], '^(%d+) ?(%d*)$')
      return format('%016.0f', tonumber(string.match(entry[1], '^%d+'))), last, logged == '' and last or logged
    end
  end
  local gone = sub(state, 18, 33) -- the newest message that the log has lost
  if entries[1] then gone = string.match(entries[1][2][2], '%d+$') end
  if tonumber(gone) > now - 60000000 then return 'UNCERTAIN' end
  return nil
end

-- makeRoom takes the oldest key out of a hash of Latest that is full. The field
-- without a name holds the sequence up to which some were taken out.
local function makeRoom(latest, count)
  local keys = call('HLEN', latest)
  if keys <= count or keys == count + 1 and call('HEXISTS', latest, '') == 1 then return end
  local values = call('HGETALL', latest)
  local oldest, key
  for i = 1, #values, 2 do
    local seq = sub(values[i + 1], 1, 16)
    if values[i] ~= '' and (not oldest or seq < oldest) then oldest, key = seq, values[i] end
  end
  call('HDEL', latest, key)
  call('HSET', latest, '', oldest)
end

-- store keeps a message. It returns its sequence, the previous one, the previous
-- one in the log and the channel's new state, or nil and what is wrong.
local function store(state, log, o, nonce, record)
  local last, logged, newest, till = sub(state, 2, 17), sub(state, 18, 33), sub(state, 34, 49), sub(state, 50, 65)
  local rest = sub(state, 66)
  local kept = (ends[rest] or parseEnd(rest)).kept
  if kept ~= o.kept and (till < nowText or tonumber(kept) < tonumber(o.kept)) then
    rest = o.kept .. sub(rest, #kept + 1)
    kept = o.kept
  end
  local longer = till < o.least
  if longer then till = o.till end
  local seq = nowText
  if last >= nowText then seq = format('%016.0f', tonumber(last) + 1) end
  local done
  if o.key ~= '' then
    local latest = latestOf(log)
    done = pcall('HSET', latest, o.key, seq .. ' ' .. last .. ' ' .. logged .. ' ' .. nonce .. ' ' .. record)
    if type(done) == 'number' then makeRoom(latest, tonumber(kept)) end
    state = '1' .. seq .. logged .. seq .. till .. rest
  else
    local previous = last
    if last ~= logged then previous = last .. ' ' .. logged end
    done = pcall('XADD', log, 'MAXLEN', kept, seq .. '-0', 'q', previous, 'n', nonce, 'm', record)
    state = '1' .. seq .. seq .. newest .. till .. rest
  end
  if type(done) == 'table' then return nil, done.err end
  if longer or o.key ~= '' then
    local age = math.ceil(o.age * 1.1)
    call('PEXPIRE', log, age)
    if sub(state, 34, 49) ~= none then call('PEXPIRE', latestOf(log), age) end
  end
  return seq, last, logged, state
end

-- What the servers are told: by server, the parts of an entry for its inbox and
-- which message is the last in it. Package socket reads it, see delivery.go.
local entries, told = {}, {}

local function tell(server, message, header, record, seq, last, logged, channel)
  local e = entries[server]
  if not e then
    e = {'1c' .. nowText}
    entries[server] = e
  end
  local n = #e
  if told[server] ~= message then
    told[server] = message
    e[n + 1], e[n + 2] = header, record
    n = n + 2
  end
  if seq == nowText and last == logged then
    e[n + 1], e[n + 2], e[n + 3] = 's', last, channel
  else
    e[n + 1], e[n + 2] = 't' .. seq .. last .. logged, channel
  end
end

local replies, all = {}, true
local sets, i, a = {}, 0, 5 -- i counts channels, a words of ARGV
while ARGV[a] do
  local o, nonce, header, record = options[ARGV[a]] or parseOptions(ARGV[a]), ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local first = a + 5
  a = first + ARGV[a + 4]
  for j = first, a - 1 do
    i = i + 1
    local key, log = KEYS[i], KEYS[channels + i]
    local state = changed[key] or states[i] or '1' .. none .. none .. none .. none .. '0'
    local seq, last, logged, new
    if sub(state, 1, 1) ~= '1' then
      last = 'the state has another version'
    elseif o.ephemeral then
      seq, last, logged = none, none, none
    else
      if o.again then seq, last, logged = find(state, log, o.key, nonce) end
      if not seq then seq, last, logged, new = store(state, log, o, nonce, record) end
    end
    local rest = sub(state, 66)
    local servers = ends[rest] or parseEnd(rest)
    if new then
      changed[key] = new
      if #servers == 0 then
        call('SET', key, new, 'PX', math.ceil(math.max(absent, 2 * o.age)))
      else
        local n = #sets
        sets[n + 1], sets[n + 2] = key, new
      end
    end
    if not seq then
      replies[i], all = {'FAILED', last}, false
    elseif seq == 'UNCERTAIN' then
      replies[i], all = {seq}, false
    elseif before == '' then
      replies[i], all = {seq, last, logged, unpack(servers)}, false
    else
      for s = 1, #servers do tell(servers[s], first, header, record, seq, last, logged, ARGV[j]) end
      replies[i] = 1
    end
  end
end
if sets[1] then call('MSET', unpack(sets)) end
for server, e in pairs(entries) do
  call('XADD', before .. server .. behind, 'NOMKSTREAM', 'MAXLEN', '~', limit, '*', 'b', table.concat(e))
end
return all and 1 or replies
