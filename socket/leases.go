package socket

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

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
// its reaper has it.
type leases struct {
	redis redis.UniversalClient
	keys  keyspace
}

// takeScript makes a lease, or lets it end at another time.
var takeScript = newScript(`
local t = redis.call('TIME')
local till = math.floor(t[1] * 1000 + t[2] / 1000) + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], till, ARGV[1])
return till`)

// renewScript extends a lease, also one that is over, but not one that a reaper
// has taken. A lease that ends before it did is that of an older state.
var renewScript = newScript(`
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) < 0 then return -1 end
if tonumber(score) < tonumber(ARGV[3]) then return -2 end
local t = redis.call('TIME')
local till = math.floor(t[1] * 1000 + t[2] / 1000) + tonumber(ARGV[2])
redis.call('ZADD', KEYS[1], till, ARGV[1])
return till`)

// claimScript finds the dead and gives them to the caller for a while.
var claimScript = newScript(`
local t = redis.call('TIME')
local now = math.floor(t[1] * 1000 + t[2] / 1000)
local claimed = {}
for _, server in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(0', now)) do
  table.insert(claimed, server)
end
for _, server in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], -now, '(0')) do
  table.insert(claimed, server)
end
for _, server in ipairs(claimed) do
  redis.call('ZADD', KEYS[1], -(now + tonumber(ARGV[1])), server)
end
return claimed`)

// take begins an incarnation: first its inbox, then its lease, so that a server
// with a lease always has an inbox.
func (l leases) take(ctx context.Context, server string, d time.Duration) (lease, error) {
	inbox := l.keys.inbox(server)
	pipe := l.redis.TxPipeline()
	pipe.XAdd(ctx, &redis.XAddArgs{Stream: inbox, Values: []any{"b", ""}})
	pipe.PExpire(ctx, inbox, 2*d) // as renew does
	if _, err := pipe.Exec(ctx); err != nil {
		return lease{}, fmt.Errorf("make inbox: %w", err)
	}
	till, err := takeScript.Run(ctx, l.redis, []string{l.keys.leases()}, server, d.Milliseconds()).Int64()
	if err != nil {
		return lease{}, fmt.Errorf("take lease: %w", err)
	}
	return lease{server: server, till: till, census: &census{}}, nil
}

// renew extends the lease and the life of the inbox. It returns errLeaseOver
// when either is gone, and errWentBack when Redis knows less than it was told.
func (l leases) renew(ctx context.Context, old lease, d time.Duration) (lease, error) {
	till, err := renewScript.Run(ctx, l.redis, []string{l.keys.leases()}, old.server, d.Milliseconds(), old.till).Int64()
	switch {
	case err != nil:
		return lease{}, fmt.Errorf("renew lease: %w", err)
	case till == -2:
		return lease{}, fmt.Errorf("renew lease: %w", errWentBack)
	case till < 0:
		return lease{}, fmt.Errorf("renew lease: %w", errLeaseOver)
	}
	before, inbox := old.census.count(), l.keys.inbox(old.server)
	pipe := l.redis.TxPipeline()
	// The inbox outlives the lease, or a lease that was late but is renewed
	// would find it gone.
	kept := pipe.PExpire(ctx, inbox, 2*d)
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
	old.till = till
	return old, nil
}

// handOver leaves the users of a server that stops to the reapers: they have d
// to connect to another one. What is sent to them meanwhile is in their logs; an
// inbox that nobody reads would only fill up.
func (l leases) handOver(ctx context.Context, server string, d time.Duration) error {
	if err := takeScript.Run(ctx, l.redis, []string{l.keys.leases()}, server, d.Milliseconds()).Err(); err != nil {
		return fmt.Errorf("hand users over: %w", err)
	}
	if err := l.redis.Del(ctx, l.keys.inbox(server), l.keys.checksum(server)).Err(); err != nil {
		return fmt.Errorf("drop inbox: %w", err)
	}
	return nil
}

// claim returns the servers that are dead and that no other reaper deals with.
// The caller has them for d.
func (l leases) claim(ctx context.Context, d time.Duration) ([]string, error) {
	dead, err := claimScript.Run(ctx, l.redis, []string{l.keys.leases()}, d.Milliseconds()).StringSlice()
	if err != nil {
		return nil, fmt.Errorf("claim dead servers: %w", err)
	}
	return dead, nil
}

// drop ends an incarnation of which nothing is left in any directory.
func (l leases) drop(ctx context.Context, server string) error {
	if err := l.redis.Del(ctx, l.keys.inbox(server), l.keys.users(server), l.keys.checksum(server), l.keys.follows(server)).Err(); err != nil {
		return fmt.Errorf("drop inbox: %w", err)
	}
	if err := l.redis.ZRem(ctx, l.keys.leases(), server).Err(); err != nil {
		return fmt.Errorf("drop lease: %w", err)
	}
	return nil
}
