package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

// DefaultLease is how long a server that is not heard from counts as alive.
const DefaultLease = 10 * time.Second

// errLeaseOver: the server must take a new lease before it registers anybody.
var errLeaseOver = errors.New("lease is over")

// errWentBack: Redis has an older state than it had, and the server must tell it
// everything anew.
var errWentBack = errors.New("an older state of Redis is back")

// leases is the sorted set of the incarnations of all servers. The score is
// when the server may be reaped, in Unix milliseconds of Redis' clock: that is
// when the lease ends and its users' grace, which is each server's own, is over.
// One that was found dead has a negative score: the time, negated, until when
// its reaper has it. How long each lease is, in ms, is in a hash beside it: what
// lies further ahead than that was written before Redis' clock was set back.
type leases struct {
	redis redis.UniversalClient
	keys  keyspace
}

// takeScript makes a lease. A Redis that is full refuses it, unless the server had
// one, under this name or another.
var takeScript = newScript(`
if ARGV[3] == '1' then redis.call('ZREM', KEYS[1], '') end -- see newScript
local t = redis.call('TIME')
local till = math.floor(t[1] * 1000 + t[2] / 1000) + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], till, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return till`)

// makeInboxScript makes the inbox, of a server that had one also on a full Redis.
var makeInboxScript = newScript(`
if ARGV[2] == '1' then redis.call('DEL', KEYS[1]) end -- see newScript
redis.call('XADD', KEYS[1], '*', 'b', '')
return redis.call('PEXPIRE', KEYS[1], ARGV[1])`)

// renewScript extends a lease, also one that is over, but not one that a reaper
// has taken. A lease that ends before it did is that of an older state.
var renewScript = newScript(`
redis.call('ZREM', KEYS[1], '') -- see newScript
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) < 0 then return -1 end
if tonumber(score) < tonumber(ARGV[3]) then return -2 end
local t = redis.call('TIME')
local till = math.floor(t[1] * 1000 + t[2] / 1000) + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], till, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return till`)

// lookScript returns Redis' time, how many leases are not over, and then of some
// leases the server, the score and the length, "" if it is not known: of those that
// are over, those whose reaper had them for too long, or for longer than it can, and
// as many of the others.
var lookScript = newScript(`
local t = redis.call('TIME')
local now = math.floor(t[1] * 1000 + t[2] / 1000)
local first, size, claim = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = {string.format('%.0f', now), tostring(redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf'))}
local function add(from, to, skip)
  local some = redis.call('ZRANGEBYSCORE', KEYS[1], from, to, 'WITHSCORES', 'LIMIT', skip, size)
  for i = 1, #some, 2 do
    local length = redis.call('HGET', KEYS[2], some[i]) or ''
    found[#found + 1], found[#found + 2], found[#found + 3] = some[i], some[i + 1], length
  end
end
add('(0', now, 0)
add(-now, '(0', 0)
add('-inf', '(' .. -(now + claim), 0)
add('(' .. now, '+inf', first)
return found`)

// claimScript gives the dead to the caller for a while, unless something became of
// them since it looked.
var claimScript = newScript(`
redis.call('ZREM', KEYS[1], '') -- see newScript
local t = redis.call('TIME')
local now = math.floor(t[1] * 1000 + t[2] / 1000)
local claimed = {}
for i = 2, #ARGV, 2 do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) == tonumber(ARGV[i + 1]) then
    redis.call('ZADD', KEYS[1], -(now + tonumber(ARGV[1])), ARGV[i])
    claimed[#claimed + 1] = ARGV[i]
  end
end
return claimed`)

// inboxSpare is how much longer than needed an inbox lives: when Redis' clock is
// set ahead by less than that, no inbox is lost.
const inboxSpare = 10 * time.Minute

// inboxLife is how long the inbox of a lease lives, which is longer than the lease:
// one that was late but is renewed would find it gone.
func inboxLife(lease time.Duration) time.Duration { return 2*lease + inboxSpare }

func (l leases) scriptKeys() []string { return []string{l.keys.leases(), l.keys.leaseLengths()} }

// take begins an incarnation: first its inbox, then its lease, so that a server
// with a lease always has an inbox. One that begins anew is let in by a full Redis.
func (l leases) take(ctx context.Context, server string, d time.Duration, anew bool) (lease, error) {
	flag := asFlag(anew)
	if err := makeInboxScript.Run(ctx, l.redis, []string{l.keys.inbox(server)}, inboxLife(d).Milliseconds(), flag).Err(); err != nil {
		return lease{}, fmt.Errorf("make inbox: %w", redisstep.Explain(err))
	}
	till, err := takeScript.Run(ctx, l.redis, l.scriptKeys(), server, d.Milliseconds(), flag).Int64()
	if err != nil {
		return lease{}, fmt.Errorf("take lease: %w", redisstep.Explain(err))
	}
	return lease{server: server, till: till, length: d, census: &census{}}, nil
}

// renew extends the lease and the life of the inbox. It returns errLeaseOver
// when either is gone, and errWentBack when Redis knows less than it was told.
func (l leases) renew(ctx context.Context, old lease, d time.Duration) (lease, error) {
	till, err := renewScript.Run(ctx, l.redis, l.scriptKeys(), old.server, d.Milliseconds(), old.till).Int64()
	switch {
	case err != nil:
		return lease{}, fmt.Errorf("renew lease: %w", err)
	case till == -2:
		return lease{}, fmt.Errorf("renew lease: %w", errWentBack)
	case till < 0:
		return lease{}, fmt.Errorf("renew lease: %w", errLeaseOver)
	}
	before, inbox := old.census.count(), l.keys.inbox(old.server)
	pipe := l.redis.Pipeline() // a full Redis takes no transaction
	kept := pipe.PExpire(ctx, inbox, inboxLife(d))
	newest := pipe.XRevRangeN(ctx, inbox, "+", "-", 1)
	users := pipe.SCard(ctx, l.keys.users(old.server))
	sum := pipe.Get(ctx, l.keys.checksum(old.server))
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return lease{}, fmt.Errorf("keep inbox: %w", err)
	}
	if !kept.Val() || len(newest.Val()) == 0 {
		return lease{}, fmt.Errorf("keep inbox: %w", errLeaseOver)
	}
	has := found{users: users.Val(), newest: newest.Val()[0].ID}
	has.sum, _ = strconv.ParseInt(sum.Val(), 10, 64) // none for an empty set
	if err := old.census.compare(before, has); err != nil {
		return lease{}, err
	}
	old.till, old.length = till, d
	return old, nil
}

// handOver leaves the users of a server that stops to the reapers: they have d
// to connect to another one. What is sent to them meanwhile is in their logs; an
// inbox that nobody reads would only fill up.
func (l leases) handOver(ctx context.Context, server string, d time.Duration) error {
	if err := takeScript.Run(ctx, l.redis, l.scriptKeys(), server, d.Milliseconds(), "1").Err(); err != nil {
		return fmt.Errorf("hand users over: %w", err)
	}
	if err := l.redis.Del(ctx, l.keys.inbox(server), l.keys.checksum(server)).Err(); err != nil {
		return fmt.Errorf("drop inbox: %w", err)
	}
	return nil
}

// leaseSeen is what a reaper sees of a lease.
type leaseSeen struct {
	server string
	score  int64
	length time.Duration
}

// looksAtOnce is how many leases of each kind a reaper looks at in one step.
const looksAtOnce = 100

// look returns Redis' time in Unix milliseconds and some leases: all that are over
// or whose reaper has not finished, up to looksAtOnce, and as many of the others,
// from the one with this number on. It also returns how many of these there are.
func (l leases) look(ctx context.Context, first int) (now int64, others int, seen []leaseSeen, err error) {
	words, err := lookScript.Run(ctx, l.redis, l.scriptKeys(), first, looksAtOnce, reapClaim.Milliseconds()).StringSlice()
	if err == nil && len(words)%3 != 2 {
		err = fmt.Errorf("unexpected reply %q", words)
	}
	if err != nil {
		return 0, 0, nil, fmt.Errorf("look at the leases: %w", err)
	}
	now, err = strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("look at the leases: %w", err)
	}
	others, _ = strconv.Atoi(words[1]) // a number that Redis counted
	for one := range slices.Chunk(words[2:], 3) {
		score, err := strconv.ParseFloat(one[1], 64)
		if err != nil {
			return 0, 0, nil, fmt.Errorf("lease of server %q: %w", one[0], err)
		}
		length := DefaultLease + DefaultOfflineAfter // when it is not known
		if ms, err := strconv.ParseInt(one[2], 10, 64); err == nil {
			length = time.Duration(ms) * time.Millisecond
		}
		seen = append(seen, leaseSeen{one[0], int64(score), length})
	}
	return now, others, seen, nil
}

// claim returns those of the servers, which were found dead, that are still as they
// were and that no other reaper deals with. The caller has them for d.
func (l leases) claim(ctx context.Context, dead []leaseSeen, d time.Duration) ([]string, error) {
	args := []any{d.Milliseconds()}
	for _, one := range dead {
		args = append(args, one.server, one.score)
	}
	claimed, err := claimScript.Run(ctx, l.redis, l.scriptKeys(), args...).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("claim dead servers: %w", err)
	}
	return claimed, nil
}

// dropScript ends a lease.
var dropScript = newScript(`
redis.call('ZREM', KEYS[1], ARGV[1])
return redis.call('HDEL', KEYS[2], ARGV[1])`)

// drop ends an incarnation of which nothing is left in any directory.
func (l leases) drop(ctx context.Context, server string) error {
	if err := l.redis.Unlink(ctx, l.keys.inbox(server), l.keys.users(server), l.keys.checksum(server), l.keys.follows(server)).Err(); err != nil {
		return fmt.Errorf("drop inbox: %w", err)
	}
	if err := dropScript.Run(ctx, l.redis, l.scriptKeys(), server).Err(); err != nil {
		return fmt.Errorf("drop lease: %w", err)
	}
	return nil
}
