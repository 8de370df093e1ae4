package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redisstep"
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
//
// The directory holds how many connections the user has on each server, as it
// was when that server last wrote. All servers of an application that limits them
// write at every change; in any other only the first connection does. Over the
// limit, if there is one, nothing is changed.
//
// A full Redis refuses it, unless the server has the user already, under this lease
// or an earlier one.
var registerScript = newScript(rerouteFunction + leaseFunction + `
local servers, presence, outbox, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local server, jobs, known = ARGV[1], ARGV[4], ARGV[7]
local count, limit = tonumber(ARGV[5]), tonumber(ARGV[6])
local t = redis.call('TIME')
if not leased(t, ARGV[2], ARGV[3]) then
  return {'-1', 0}
end
if known == '1' then redis.call('HDEL', servers, '') end -- see newScript
if limit > 0 then
  local all, entries = count, redis.call('HGETALL', servers)
  for i = 1, #entries, 2 do
    if entries[i] ~= server then all = all + tonumber(entries[i + 1]) end
  end
  if all > limit then return {'-2', 0} end
end
redis.call('HSET', servers, server, count)
local now = reroute(state, servers)
redis.call('PERSIST', presence)
redis.call('HSET', presence, 'jobs', jobs)
if redis.call('HGET', presence, 'online') ~= '1' then
  local generation = tonumber(redis.call('HGET', presence, 'generation') or '0')
  generation = string.format('%.0f', math.max(generation + 1, t[1] * 1000000 + t[2]))
  redis.call('HSET', presence, 'online', '1', 'generation', generation)
  if jobs == '1' then redis.call('RPUSH', outbox, '1 ' .. generation .. ' 1') end
end
return {now, redis.call('LLEN', outbox)}`)

// unregisterScript takes a server out of a user's directory. When it was the
// last one, that is a transition too, and the user leaves all topics, of which the
// outbox tells as well.
//
// The topics, which may be many, stay where they are, under another key, until who
// carries out the outbox ends them some at a time.
var unregisterScript = newScript(rerouteFunction + `
local servers, presence, outbox, state, topics = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local server, absent, forgotten = ARGV[1], ARGV[2], ARGV[3]
redis.call('HDEL', servers, server) -- first, see newScript
reroute(state, servers, absent)
if redis.call('HLEN', servers) == 0 and redis.call('HGET', presence, 'online') == '1' then
  local t = redis.call('TIME')
  local generation = tonumber(redis.call('HGET', presence, 'generation') or '0')
  generation = string.format('%.0f', math.max(generation + 1, t[1] * 1000000 + t[2]))
  redis.call('HSET', presence, 'online', '0', 'generation', generation)
  redis.call('PEXPIRE', presence, forgotten)
  if redis.call('EXISTS', topics) == 1 then
    redis.call('RENAME', topics, topics .. ':' .. generation)
    redis.call('RPUSH', outbox, '1 ' .. generation .. ' left')
  end
  if redis.call('HGET', presence, 'jobs') == '1' then
    redis.call('RPUSH', outbox, '1 ' .. generation .. ' 0')
  end
end
return redis.call('LLEN', outbox)`)

// leaseFunction is Lua. It tells whether the lease is one now that is said to end at a
// time and to be so long, both in ms. One that would end later than it can, by more
// than a clock that is put right bit by bit goes back, was written before Redis' clock
// was set back, and its server has to renew it.
const leaseFunction = `
local function leased(t, till, length)
  local left = tonumber(till) - (t[1] * 1000 + t[2] / 1000)
  return left > 0 and left <= tonumber(length) + 1000
end
`

// enrollScript and forgetScript keep the sum of the checksums of the users in a
// server's set. Either may be repeated. A full Redis takes a user whom the server
// had under an earlier lease.
var (
	enrollScript = newScript(`
if ARGV[3] == '1' then redis.call('SREM', KEYS[1], '') end -- see newScript
if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then redis.call('INCRBY', KEYS[2], ARGV[2]) end
return 1`)
	forgetScript = newScript(`
if redis.call('SREM', KEYS[1], ARGV[1]) == 1 and redis.call('DECRBY', KEYS[2], ARGV[2]) == 0 then
  redis.call('DEL', KEYS[2])
end
return 1`)
)

// presenceRetention is how long the generation of a user who is offline is
// kept. A presence job must not wait longer than that in its queue, or it could
// be repeated.
const presenceRetention = 7 * 24 * time.Hour

// lease is the right of one incarnation of a server to be in directories.
type lease struct {
	server   string
	till     int64 // Redis' time, in Unix milliseconds
	length   time.Duration
	census   *census
	restores bool          // Redis went back, and is told again in which topics the users are
	replaced chan struct{} // closed when the server holds another one, or has renewed it
}

// errTooMany: the user has as many connections as a user may have.
var errTooMany = errors.New("too many connections")

// enroll puts the user into the server's set, which is what a reaper goes by. It
// comes before register. A user who is known was registered by this server before.
func (p presence) enroll(ctx context.Context, user, server string, known bool) error {
	if err := enrollScript.Run(ctx, p.redis, p.setKeys(server), user, checksum(user), asFlag(known)).Err(); err != nil {
		return fmt.Errorf("enroll user %q: %w", user, redisstep.Explain(err))
	}
	return nil
}

// asFlag is how scripts are told of a truth value.
func asFlag(set bool) string {
	if set {
		return "1"
	}
	return "0"
}

// seat is what a server claims for a user: how many connections there are on it,
// and, unless that is 0, how many there may be on all servers. A user who is known
// is registered by this server already, under this lease or an earlier one.
type seat struct {
	count, limit int
	known        bool
}

// register puts the server into the user's directory, or changes what it has
// there. It returns the sequence of the user's newest message, from which on the
// server's inbox has them all, and whether the outbox holds transitions.
func (p presence) register(ctx context.Context, user string, l lease, withJobs bool, in seat) (at point, unpushed bool, err error) {
	reply, err := registerScript.Run(ctx, p.redis, p.scriptKeys(user), l.server, l.till, l.length.Milliseconds(),
		asFlag(withJobs), in.count, in.limit, asFlag(in.known)).Slice()
	if err != nil {
		return point{}, false, fmt.Errorf("register user %q: %w", user, redisstep.Explain(err))
	}
	if len(reply) != 2 {
		return point{}, false, fmt.Errorf("register user %q: unexpected reply %v", user, reply)
	}
	stateText, _ := reply[0].(string)
	switch stateText {
	case "-1":
		return point{}, false, fmt.Errorf("register user %q: %w", user, errLeaseOver)
	case "-2":
		return point{}, false, fmt.Errorf("register user %q: %w", user, errTooMany)
	}
	newest, err := parseState(stateText)
	if err != nil {
		return point{}, false, fmt.Errorf("register user %q: %w", user, err)
	}
	return newest.point, reply[1] != int64(0), nil
}

// unregister takes the server out of the user's directory. It returns whether
// the outbox holds transitions.
func (p presence) unregister(ctx context.Context, user, server string) (unpushed bool, err error) {
	n, err := unregisterScript.Run(ctx, p.redis, p.scriptKeys(user),
		server, stateRetention.Milliseconds(), presenceRetention.Milliseconds()).Int()
	if err != nil {
		return false, fmt.Errorf("unregister user %q: %w", user, err)
	}
	return n > 0, nil
}

// forget takes the user out of the server's set. The outbox must be empty then:
// nobody looks for the user's transitions after that. When Redis went back since
// the server left the directory, it may be there again, and would stay for ever:
// forget returns an error that wraps errWentBack, and the server has to leave once
// more.
func (p presence) forget(ctx context.Context, user, server string) error {
	pipe := p.redis.Pipeline()
	_ = pipe.Process(ctx, forgetScript.command(ctx, true, p.setKeys(server), user, checksum(user)))
	there := pipe.HExists(ctx, p.keys.servers(userChannel(user)), server)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("forget user %q: %w", user, err)
	}
	if there.Val() {
		return fmt.Errorf("forget user %q: %w", user, errWentBack)
	}
	return nil
}

func (p presence) scriptKeys(user string) []string {
	ch := userChannel(user)
	return []string{p.keys.servers(ch), p.keys.presence(user), p.keys.outbox(user), p.keys.state(ch), p.keys.topics(user)}
}

func (p presence) setKeys(server string) []string {
	return []string{p.keys.users(server), p.keys.checksum(server)}
}

// flush carries out what is in the user's outbox, some lines at a time and the oldest
// first, and then takes it out: it ends memberships of topics, and pushes transitions
// as jobs. Whoever dies in between leaves it there; whoever overlaps with another does
// some of it twice, and the job skips what it has done.
func (p presence) flush(ctx context.Context, user string) error {
	for {
		lines, err := p.redis.LRange(ctx, p.keys.outbox(user), 0, linesAtOnce-1).Result()
		if err != nil {
			return fmt.Errorf("read the outbox of user %q: %w", user, err)
		}
		for _, line := range lines {
			if generation, ok := parseLeft(line); ok {
				err = p.leaveTopics(ctx, user, generation)
			} else {
				err = p.push(ctx, user, line)
			}
			if err != nil {
				return err
			}
			if err := p.redis.LRem(ctx, p.keys.outbox(user), 1, line).Err(); err != nil {
				return fmt.Errorf("trim the outbox of user %q: %w", user, err)
			}
		}
		if len(lines) < linesAtOnce {
			return nil
		}
	}
}

const (
	linesAtOnce = 100 // of an outbox are read in one trip
	leftAtOnce  = 200 // memberships are ended in one trip
)

// leaveTopics ends the memberships that a user had who went offline with this
// generation, some at a time.
func (p presence) leaveTopics(ctx context.Context, user, generation string) error {
	err := p.endMemberships(ctx, user, p.keys.topics(user)+":"+generation)
	if err != nil {
		return fmt.Errorf("user %q leaves topics: %w", user, err)
	}
	return nil
}

func (p presence) endMemberships(ctx context.Context, user, all string) error {
	for cursor := uint64(0); ; {
		some, next, err := p.redis.HScan(ctx, all, cursor, "", leftAtOnce).Result()
		if err != nil {
			return err
		}
		if len(some) > 0 {
			if err := p.endSome(ctx, user, all, some); err != nil {
				return err
			}
		}
		if cursor = next; cursor == 0 {
			return nil // the hash went with its last field
		}
	}
}

// endSome ends memberships that are given as topic and value by turns.
func (p presence) endSome(ctx context.Context, user, all string, some []string) error {
	_, err := p.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for pair := range slices.Chunk(some, 2) {
			topic, number := pair[0], membershipNumber(pair[1])
			_ = pipe.Process(ctx, leftScript.command(ctx, true, p.keys.leftKeys(user, topic), leftArgs(user, number)...))
		}
		return nil
	})
	if err != nil {
		return err
	}
	topics := make([]string, 0, len(some)/2)
	for pair := range slices.Chunk(some, 2) {
		topics = append(topics, pair[0])
	}
	return p.redis.HDel(ctx, all, topics...).Err()
}

// parseLeft reads "<version> <generation> left", of a user who went offline and was in
// topics.
func parseLeft(line string) (generation string, ok bool) {
	words := strings.Fields(line)
	if len(words) != 3 || words[0] != formatVersion || words[2] != "left" {
		return "", false
	}
	return words[1], true
}

// push makes a job of a transition.
func (p presence) push(ctx context.Context, user, line string) error {
	t, err := parseTransition(user, line)
	if err != nil {
		return err
	}
	ctx = jobs.WithUserID(p.jobs.Context(ctx), user)
	if _, err := transitions.Group(user).Push(ctx, t); err != nil {
		return fmt.Errorf("push presence of user %q: %w", user, err)
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
