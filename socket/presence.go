package socket

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/redis/go-redis/v9"
)

// presence keeps, in Redis, which servers a user is connected to and whether
// the user is online, and turns every change of the latter into a job.
type presence struct {
	redis redis.UniversalClient
	keys  keyspace
	jobs  *jobs.Client
}

// registerScript puts a server into a user's directory. The first one is a
// transition: it goes to the outbox in the same step, with a generation that is
// the larger of the last one plus one and Redis' time in microseconds, so that
// none repeats after Redis went back to an older snapshot.
//
// A server whose lease is over may have been reaped already; what it wrote now
// would stay for ever. So it states until when it has its lease.
var registerScript = newScript(`
local servers, presence, outbox, top = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local server, till, jobs = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local t = redis.call('TIME')
if t[1] * 1000 + t[2] / 1000 >= till then
  return {'-1', 0}
end
redis.call('HSET', servers, server, '1')
redis.call('PERSIST', top)
redis.call('PERSIST', presence)
redis.call('HSET', presence, 'jobs', jobs)
if redis.call('HGET', presence, 'online') ~= '1' then
  local generation = tonumber(redis.call('HGET', presence, 'generation') or '0')
  generation = string.format('%.0f', math.max(generation + 1, t[1] * 1000000 + t[2]))
  redis.call('HSET', presence, 'online', '1', 'generation', generation)
  if jobs == '1' then redis.call('RPUSH', outbox, '1 ' .. generation .. ' 1') end
end
return {redis.call('GET', top) or '', redis.call('LLEN', outbox)}`)

// unregisterScript takes a server out of a user's directory. When it was the
// last one, that is a transition too.
var unregisterScript = newScript(`
local servers, presence, outbox, top = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local server, absent, forgotten = ARGV[1], ARGV[2], ARGV[3]
redis.call('HDEL', servers, server)
if redis.call('HLEN', servers) == 0 and redis.call('HGET', presence, 'online') == '1' then
  local t = redis.call('TIME')
  local generation = tonumber(redis.call('HGET', presence, 'generation') or '0')
  generation = string.format('%.0f', math.max(generation + 1, t[1] * 1000000 + t[2]))
  redis.call('HSET', presence, 'online', '0', 'generation', generation)
  redis.call('PEXPIRE', presence, forgotten)
  redis.call('PEXPIRE', top, absent)
  if redis.call('HGET', presence, 'jobs') == '1' then
    redis.call('RPUSH', outbox, '1 ' .. generation .. ' 0')
  end
end
return redis.call('LLEN', outbox)`)

// presenceRetention is how long the generation of a user who is offline is
// kept. A presence job must not wait longer than that in its queue, or it could
// be repeated.
const presenceRetention = 7 * 24 * time.Hour

// lease is the right of one incarnation of a server to be in directories.
type lease struct {
	server string
	till   int64 // Redis' time, in Unix milliseconds
}

// register puts the user into the server's set, which is what a reaper goes by,
// and then the server into the user's directory. It returns the sequence of the
// user's newest message, from which on the server's inbox has them all, and
// whether the outbox holds transitions.
func (p presence) register(ctx context.Context, user string, l lease, withJobs bool) (at point, unpushed bool, err error) {
	if err := p.redis.SAdd(ctx, p.keys.users(l.server), user).Err(); err != nil {
		return point{}, false, fmt.Errorf("register user %q: %w", user, err)
	}
	flag := "0"
	if withJobs {
		flag = "1"
	}
	reply, err := registerScript.Run(ctx, p.redis, p.scriptKeys(user), l.server, l.till, flag).Slice()
	if err != nil {
		return point{}, false, fmt.Errorf("register user %q: %w", user, err)
	}
	if len(reply) != 2 {
		return point{}, false, fmt.Errorf("register user %q: unexpected reply %v", user, reply)
	}
	topText, _ := reply[0].(string)
	if topText == "-1" {
		return point{}, false, fmt.Errorf("register user %q: %w", user, errLeaseOver)
	}
	newest, err := parseTop(topText)
	if err != nil {
		return point{}, false, fmt.Errorf("register user %q: %w", user, err)
	}
	return newest.point, reply[1] != int64(0), nil
}

// unregister takes the server out of the user's directory. It returns whether
// the outbox holds transitions.
func (p presence) unregister(ctx context.Context, user, server string) (unpushed bool, err error) {
	n, err := unregisterScript.Run(ctx, p.redis, p.scriptKeys(user),
		server, topRetention.Milliseconds(), presenceRetention.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("unregister user %q: %w", user, err)
	}
	return n > 0, nil
}

// forget takes the user out of the server's set. The outbox must be empty then:
// nobody looks for the user's transitions after that.
func (p presence) forget(ctx context.Context, user, server string) error {
	if err := p.redis.SRem(ctx, p.keys.users(server), user).Err(); err != nil {
		return fmt.Errorf("forget user %q: %w", user, err)
	}
	return nil
}

func (p presence) scriptKeys(user string) []string {
	ch := userChannel(user)
	return []string{p.keys.servers(ch), p.keys.presence(user), p.keys.outbox(user), p.keys.top(ch)}
}

// flush pushes the user's transitions as jobs, the oldest first, and then takes
// them out of the outbox. Whoever dies in between leaves them there; whoever
// overlaps with another pushes some of them twice, and the job skips those.
func (p presence) flush(ctx context.Context, user string) error {
	outbox := p.keys.outbox(user)
	lines, err := p.redis.LRange(ctx, outbox, 0, -1).Result()
	if err != nil {
		return fmt.Errorf("read the outbox of user %q: %w", user, err)
	}
	for _, line := range lines {
		t, err := parseTransition(user, line)
		if err != nil {
			return err
		}
		ctx := jobs.WithUserID(p.jobs.Context(ctx), user)
		if _, err := transitions.Group(user).Push(ctx, t); err != nil {
			return fmt.Errorf("push presence of user %q: %w", user, err)
		}
		if err := p.redis.LRem(ctx, outbox, 1, line).Err(); err != nil {
			return fmt.Errorf("trim the outbox of user %q: %w", user, err)
		}
	}
	return nil
}

// parseTransition reads "<version> <generation> <online>".
func parseTransition(user, line string) (transition, error) {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != formatVersion {
		return transition{}, fmt.Errorf("outbox of user %q: unknown transition %q", user, line)
	}
	generation, err := strconv.ParseUint(words[1], 10, 64)
	if err != nil {
		return transition{}, fmt.Errorf("outbox of user %q: generation %q: %w", user, words[1], err)
	}
	return transition{User: user, Generation: generation, Online: words[2] == "1"}, nil
}
