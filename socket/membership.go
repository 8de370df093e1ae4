package socket

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// topics keeps, in Redis, who is in which topic: with each topic its members, and
// with each user the topics. These are in different slots of a cluster, so to join
// and to leave take several steps. The one with the user comes first and says what
// is going on; so whoever dies in between leaves nothing behind that the end of
// the user's presence does not find.
type topics struct {
	redis redis.UniversalClient
	keys  keyspace
}

func (s *Sender) topics() topics { return topics{s.redis, s.keys()} }

// membership is one topic of a user.
type membership struct {
	number uint64 // grows with each that the user begins, and tells it from earlier ones
	from   point  // how far the topic was when it began
}

// What is kept with the user is "<number> <state of the topic>"; before the topic was
// told of the member "<number>", and while the user leaves "-<number>".

// parseMembership returns false for one that has not begun or that is about to end.
func parseMembership(value string) (m membership, complete bool, err error) {
	number, newest, complete := strings.Cut(value, " ")
	if !complete {
		return m, false, nil
	}
	if m.number, err = parseSequence(number); err != nil {
		return m, false, err
	}
	t, err := parseState(newest)
	m.from = t.point
	return m, true, err
}

// membershipNumber is the number in what is kept with the user.
func membershipNumber(value string) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(value, "-"), " ")
	return number
}

// beginJoinScript notes with the user that a topic is being joined. It returns the
// number of the membership, an earlier one's if there is one, or "" for a user who
// is not online.
var beginJoinScript = newScript(`
local topics, presence, topic = KEYS[1], KEYS[2], ARGV[1]
if redis.call('HGET', presence, 'online') ~= '1' then return '' end
local number = string.match(redis.call('HGET', topics, topic) or '', '^%d+')
if number then return number end
local t = redis.call('TIME')
local last = tonumber(redis.call('HGET', presence, 'joined') or '0')
number = string.format('%.0f', math.max(last + 1, t[1] * 1000000 + t[2]))
redis.call('HSET', presence, 'joined', number)
redis.call('HSET', topics, topic, number)
return number`)

// memberScript makes the user a member of the topic, unless the membership is over
// already, and returns how far the topic is.
var memberScript = newScript(`
local number = redis.call('HGET', KEYS[1], ARGV[1]) or redis.call('GET', KEYS[3])
if not number or tonumber(number) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return string.sub(redis.call('GET', KEYS[2]) or '', 1, tonumber(ARGV[3]))`)

// completeJoinScript completes a membership and returns "joined" and the user's
// servers. When it has ended meanwhile, it returns only "left", or "offline".
var completeJoinScript = newScript(`
local topics, presence, servers = KEYS[1], KEYS[2], KEYS[3]
local topic, number, state = ARGV[1], ARGV[2], ARGV[3]
local value = redis.call('HGET', topics, topic) or ''
if string.match(value, '^%d+') ~= number then
  if redis.call('HGET', presence, 'online') == '1' then return {'left'} end
  return {'offline'}
end
if value == number then redis.call('HSET', topics, topic, number .. ' ' .. state) end
local all = redis.call('HKEYS', servers)
table.insert(all, 1, 'joined')
return all`)

// leftScript ends a membership with the topic, unless there is a newer one. One
// that the topic does not know may be on its way to it, from a process that dies
// before it finds out that the user is offline: the topic remembers for a while
// that it is over.
var leftScript = newScript(`
redis.call('HDEL', KEYS[1], '') -- see newScript
local number = redis.call('HGET', KEYS[1], ARGV[1])
if not number then
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
elseif tonumber(number) <= tonumber(ARGV[2]) then
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1`)

// joinLimit is longer than any step of a Join takes.
const joinLimit = 10 * time.Minute

// leftKeys and leftArgs are what leftScript needs.
func (k keyspace) leftKeys(user, topic string) []string {
	return []string{k.members(topic), k.left(topic, user)}
}

func leftArgs(user, number string) []any { return []any{user, number, joinLimit.Milliseconds()} }

func (t topics) join(ctx context.Context, user, topic string) error {
	k, ch := t.keys, topicChannel(topic)
	number, err := beginJoinScript.Run(ctx, t.redis, []string{k.topics(user), k.presence(user)}, topic).Text()
	switch {
	case err != nil:
		return err
	case number == "":
		return ErrOffline
	}
	state, err := memberScript.Run(ctx, t.redis, []string{k.members(topic), k.state(ch), k.left(topic, user)}, user, number, stateEnd).Text()
	if err != nil {
		return err
	}
	reply, err := completeJoinScript.Run(ctx, t.redis,
		[]string{k.topics(user), k.presence(user), k.servers(userChannel(user))}, topic, number, state).StringSlice()
	switch {
	case err != nil:
		return err
	case len(reply) == 0:
		return fmt.Errorf("unexpected reply %v", reply)
	case reply[0] == "joined":
		return t.tell(ctx, user, topic, reply[1:])
	}
	if err := t.left(ctx, user, topic, number); err != nil {
		return err
	}
	if reply[0] == "offline" {
		return ErrOffline
	}
	return nil // somebody left the topic after this call had begun
}

// left takes a user whose membership is over out of the topic's members.
func (t topics) left(ctx context.Context, user, topic, number string) error {
	return leftScript.Run(ctx, t.redis, t.keys.leftKeys(user, topic), leftArgs(user, number)...).Err()
}

// beginLeaveScript notes with the user that a topic is being left. It returns the
// number of the membership and the user's servers, or nothing when there is none.
var beginLeaveScript = newScript(`
local topics, servers, topic = KEYS[1], KEYS[2], ARGV[1]
local number = string.match(redis.call('HGET', topics, topic) or '', '%d+')
if not number then return {} end
redis.call('HDEL', topics, '') -- see newScript
redis.call('HSET', topics, topic, '-' .. number)
local all = redis.call('HKEYS', servers)
table.insert(all, 1, number)
return all`)

// completeLeaveScript removes the note.
var completeLeaveScript = newScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) == '-' .. ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
return 1`)

func (t topics) leave(ctx context.Context, user, topic string) error {
	mine := []string{t.keys.topics(user), t.keys.servers(userChannel(user))}
	reply, err := beginLeaveScript.Run(ctx, t.redis, mine, topic).StringSlice()
	if err != nil || len(reply) == 0 {
		return err
	}
	number, servers := reply[0], reply[1:]
	if err := t.left(ctx, user, topic, number); err != nil {
		return err
	}
	if err := t.tell(ctx, user, topic, servers); err != nil {
		return err
	}
	return completeLeaveScript.Run(ctx, t.redis, mine[:1], topic, number).Err()
}

// tellScript adds an entry to an inbox, also on a full Redis: see newScript.
var tellScript = newScript(`
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
return redis.call('XADD', KEYS[1], 'NOMKSTREAM', '*', 'b', ARGV[2])`)

// tell has the user's servers look whether the user is in the topic.
func (t topics) tell(ctx context.Context, user, topic string, servers []string) error {
	// What is recorded is told even if the caller does not wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	pipe := t.redis.Pipeline()
	entry := appendMembership([]byte(formatVersion), user, topic)
	for _, server := range servers {
		_ = pipe.Process(ctx, tellScript.command(ctx, true, []string{t.keys.inbox(server)}, inboxLimit, entry))
	}
	cmds, _ := pipe.Exec(ctx) // every command has its own error
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil { // a server that is gone has no inbox
			return fmt.Errorf("tell the servers: %w", err)
		}
	}
	return nil
}

// topicsAtOnce is how many topics of a user are read in one step.
const topicsAtOnce = 500

// of reads the topics that a user is in, some at a time. Of one that is joined or left
// meanwhile the servers are told.
func (t topics) of(ctx context.Context, user string) (map[string]membership, error) {
	all := map[string]membership{}
	for cursor := uint64(0); ; {
		some, next, err := t.redis.HScan(ctx, t.keys.topics(user), cursor, "", topicsAtOnce).Result()
		if err != nil {
			return nil, fmt.Errorf("topics of user %q: %w", user, err)
		}
		for pair := range slices.Chunk(some, 2) {
			m, complete, err := parseMembership(pair[1])
			if err != nil {
				return nil, fmt.Errorf("topic %q of user %q: %w", pair[0], user, err)
			}
			if complete {
				all[pair[0]] = m
			}
		}
		if cursor = next; cursor == 0 {
			return all, nil
		}
	}
}

// some reads which of these topics a user is in.
func (t topics) some(ctx context.Context, user string, topics []string) (map[string]membership, error) {
	all := make(map[string]membership, len(topics))
	for names := range slices.Chunk(topics, topicsAtOnce) {
		values, err := t.redis.HMGet(ctx, t.keys.topics(user), names...).Result()
		if err != nil {
			return nil, fmt.Errorf("topics of user %q: %w", user, err)
		}
		for i, value := range values {
			text, there := value.(string)
			if !there {
				continue
			}
			m, complete, err := parseMembership(text)
			if err != nil {
				return nil, fmt.Errorf("topic %q of user %q: %w", names[i], user, err)
			}
			if complete {
				all[names[i]] = m
			}
		}
	}
	return all, nil
}
