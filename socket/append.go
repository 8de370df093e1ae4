package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// appendScript is the first of a send's two trips: in one step, in the user's
// slot, it numbers the message, appends it to the user's log and reads which
// servers hold connections of the user.
//
// The sequence is the larger of the last one plus one and Redis' own time in
// microseconds, and the entry names its predecessor. So no number repeats after
// Redis went back to an older snapshot, and a reader that has seen the
// predecessor knows that nothing is missing in between.
//
// A repeat, of a command whose reply was lost, first looks for its nonce in the
// log. When the log has been overwritten since, there is no telling.
var appendScript = newScript(`
local log, top, servers = KEYS[1], KEYS[2], KEYS[3]
local opcode, payload, nonce = ARGV[1], ARGV[2], ARGV[3]
local limit, retain, absent = tonumber(ARGV[4]), ARGV[5], ARGV[6]
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
if ARGV[7] == '1' then
  local entries = redis.call('XRANGE', log, '-', '+')
  for _, entry in ipairs(entries) do
    local f = entry[2]
    if f[8] == nonce then
      local seq = string.match(entry[1], '^%d+')
      return {seq, f[10], redis.call('HKEYS', servers)}
    end
  end
  if #entries >= limit and tonumber(string.match(entries[1][1], '^%d+')) > now - 60000000 then
    return redis.error_reply('UNCERTAIN the log no longer tells')
  end
end
local last = redis.call('GET', top) or '0'
local seq = string.format('%.0f', math.max(tonumber(last) + 1, now))
redis.call('XADD', log, 'MAXLEN', limit, seq .. '-0', 'v', '1', 'o', opcode, 'p', payload, 'n', nonce, 'q', last)
redis.call('PEXPIRE', log, retain)
local online = redis.call('HKEYS', servers)
if #online == 0 then
  redis.call('SET', top, seq, 'PX', absent)
else
  redis.call('SET', top, seq)
end
return {seq, last, online}`)

// topRetention is how long the sequence of a user without connections outlives
// the user's log. A message after that starts a new chain.
const topRetention = 24 * time.Hour

// appended is a message that stands in a user's log.
type appended struct {
	position
	servers []string
}

// append writes a frame to the log of every user. It returns those that worked
// and, when some did not, an error for the rest.
func (s *Sender) append(ctx context.Context, users []string, f frame) ([]appended, error) {
	pending := make([]*logAppend, len(users))
	nonce := s.nonce()
	for i, user := range users {
		pending[i] = s.newAppend(user, nonce, f)
	}
	var done []appended
	var failed error
	for attempt := 0; ; attempt++ {
		runOnce(ctx, s.redis, pending)
		next := pending[:0]
		for _, a := range pending {
			switch again, err := a.outcome(); {
			case err == nil:
				done = append(done, a.result)
			case again && attempt < len(appendBackoff):
				next = append(next, a)
			default:
				failed = err
			}
		}
		if pending = next; len(pending) == 0 {
			return done, failed
		}
		select {
		case <-ctx.Done():
			return done, fmt.Errorf("%w: %w", pending[0].err(), context.Cause(ctx))
		case <-time.After(appendBackoff[attempt]):
		}
	}
}

// appendBackoff is the pause before each repeat of an append.
var appendBackoff = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond, 320 * time.Millisecond}

// logAppend is the append to one user's log, in all its attempts.
type logAppend struct {
	user   string
	keys   []string
	args   []any // the last one tells whether this is a repeat
	cmd    *redis.Cmd
	inline bool // Redis does not have the script: send its source
	unsure bool // an attempt may have been carried out
	result appended
}

func (s *Sender) newAppend(user, nonce string, f frame) *logAppend {
	k := s.keys()
	limit, age := s.retention()
	return &logAppend{
		user: user,
		keys: []string{k.log(user), k.top(user), k.servers(user)},
		args: []any{f.opcode, f.data, nonce, limit, age.Milliseconds(), topRetention.Milliseconds(), "0"},
	}
}

// runOnce sends the appends in one pipeline that go-redis does not repeat by
// itself: it would repeat a command whose reply was lost without telling it.
func runOnce(ctx context.Context, rdb redis.UniversalClient, appends []*logAppend) {
	pipe := rdb.Pipeline()
	for _, a := range appends {
		a.args[len(a.args)-1] = "0"
		if a.unsure {
			a.args[len(a.args)-1] = "1"
		}
		a.cmd = appendScript.command(ctx, a.inline, a.keys, a.args...)
		_ = pipe.Process(ctx, notRepeated{a.cmd})
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
}

// notRepeated is a command that go-redis sends at most once.
type notRepeated struct{ *redis.Cmd }

func (notRepeated) NoRetry() bool { return true }

// outcome reads the reply of the last attempt. again tells whether another one
// makes sense.
func (a *logAppend) outcome() (again bool, err error) {
	reply, err := a.cmd.Slice()
	if err == nil {
		return false, a.read(reply)
	}
	var answer redis.Error
	var network *net.OpError
	switch {
	case errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "NOSCRIPT"):
		a.inline = true
		return true, a.err()
	case errors.As(err, &answer) && strings.HasPrefix(answer.Error(), "UNCERTAIN"):
		a.unsure = true
		return false, a.err()
	case errors.As(err, &answer): // Redis answered, so it did nothing
		return passing(answer), a.err()
	case errors.As(err, &network) && network.Op == "dial", errors.Is(err, redis.ErrPoolTimeout): // never sent
		return true, a.err()
	default:
		a.unsure = true
		return true, a.err()
	}
}

// passing tells whether Redis refused a command only for now.
func passing(answer error) bool {
	word, _, _ := strings.Cut(answer.Error(), " ")
	switch word {
	case "LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY":
		return true
	}
	return false
}

func (a *logAppend) err() error {
	if a.unsure {
		return fmt.Errorf("append to the log of user %q: %w: %w", a.user, ErrUncertain, a.cmd.Err())
	}
	return fmt.Errorf("append to the log of user %q: %w", a.user, a.cmd.Err())
}

func (a *logAppend) read(reply []any) error {
	if len(reply) != 3 {
		return fmt.Errorf("append to the log of user %q: unexpected reply %v", a.user, reply)
	}
	a.result.user = a.user
	for i, to := range []*uint64{&a.result.seq, &a.result.previous} {
		text, _ := reply[i].(string)
		n, err := parseSequence(text)
		if err != nil {
			return fmt.Errorf("append to the log of user %q: %w", a.user, err)
		}
		*to = n
	}
	servers, _ := reply[2].([]any)
	for _, server := range servers {
		if name, ok := server.(string); ok {
			a.result.servers = append(a.result.servers, name)
		}
	}
	return nil
}
