package socket

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs"
	"github.com/redis/go-redis/v9"
)

// maxTopic is the longest name of a topic, in bytes.
const maxTopic = 256

// ErrTopic: a topic's name is empty, over 256 bytes, or not UTF-8.
var ErrTopic = errors.New("socket: not the name of a topic")

// ErrOffline: a user who is not online cannot join a topic.
var ErrOffline = errors.New("socket: user is not online")

func checkTopic(name string) error {
	if name == "" || len(name) > maxTopic || !utf8.ValidString(name) {
		return fmt.Errorf("%w: %.300q", ErrTopic, name)
	}
	return nil
}

// Join makes the current user a member of a topic: what is sent to the topic
// from now on reaches every device of the user, on whichever server it is
// connected, also one that connects later. The user is a member until Leave, or
// until OnOffline. Where there is no current user, the current connection joins,
// until it ends; where there is neither, Join returns ErrNobody.
//
// A user who is not online gets ErrOffline. To join twice is to join once.
func Join(ctx context.Context, topic string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	s, user, err := memberOf(ctx)
	if err != nil {
		return err
	}
	if user == "" {
		return connectionFrom(ctx).joinAlone(topic)
	}
	if err := s.join(ctx, user, topic); err != nil {
		return fmt.Errorf("socket: user %q joins topic %q: %w", user, topic, err)
	}
	return nil
}

// Leave ends what Join began. To leave a topic that one is not in is no error.
func Leave(ctx context.Context, topic string) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	s, user, err := memberOf(ctx)
	if err != nil {
		return err
	}
	if user == "" {
		connectionFrom(ctx).leaveAlone(topic)
		return nil
	}
	if err := s.leave(ctx, user, topic); err != nil {
		return fmt.Errorf("socket: user %q leaves topic %q: %w", user, topic, err)
	}
	return nil
}

// memberOf returns the current user, or none when there is a current connection.
func memberOf(ctx context.Context) (*Sender, string, error) {
	s, err := senderFrom(ctx)
	if err != nil {
		return nil, "", err
	}
	user := jobs.UserID(ctx)
	if user == "" && connectionFrom(ctx) == nil {
		return nil, "", ErrNobody
	}
	return s, user, nil
}

// Members returns the ids of the users who are in a topic, in no order. Anonymous
// connections are not among them.
func Members(ctx context.Context, topic string) ([]string, error) {
	if err := checkTopic(topic); err != nil {
		return nil, err
	}
	s, err := senderFrom(ctx)
	if err != nil {
		return nil, err
	}
	users, err := s.redis.HKeys(ctx, s.keys().members(topic)).Result()
	if err != nil {
		return nil, fmt.Errorf("socket: members of topic %q: %w", topic, err)
	}
	return users, nil
}

// enterTopicScript makes a user a member of a topic and returns how far the
// topic is. The member's value is the time, in microseconds, so that an older
// end of the membership does not end a newer one.
var enterTopicScript = newScript(`
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', t[1] * 1000000 + t[2]))
return redis.call('GET', KEYS[2]) or ''`)

// joinScript notes, with the user, a topic and how far it was when the user
// joined, and returns the user's servers.
var joinScript = newScript(`
if redis.call('HGET', KEYS[2], 'online') ~= '1' then return {} end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HKEYS', KEYS[3])`)

// join enters the topic first, so that the topic's members are at least those
// who have it.
func (s *Sender) join(ctx context.Context, user, topic string) error {
	k, ch := s.keys(), topicChannel(topic)
	top, err := enterTopicScript.Run(ctx, s.redis, []string{k.members(topic), k.top(ch)}, user).Text()
	if err != nil {
		return err
	}
	servers, err := joinScript.Run(ctx, s.redis,
		[]string{k.topics(user), k.presence(user), k.servers(userChannel(user))}, topic, top).StringSlice()
	if err != nil {
		return err
	}
	if len(servers) == 0 {
		return errors.Join(ErrOffline, s.redis.HDel(ctx, k.members(topic), user).Err())
	}
	return s.tellMembership(ctx, user, servers)
}

func (s *Sender) leave(ctx context.Context, user, topic string) error {
	k := s.keys()
	var servers *redis.StringSliceCmd
	_, err := s.redis.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.HDel(ctx, k.topics(user), topic)
		servers = pipe.HKeys(ctx, k.servers(userChannel(user)))
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.redis.HDel(ctx, k.members(topic), user).Err(); err != nil {
		return err
	}
	return s.tellMembership(ctx, user, servers.Val())
}

// tellMembership has the user's servers look at the user's topics.
func (s *Sender) tellMembership(ctx context.Context, user string, servers []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := s.redis.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for _, server := range servers {
			pipe.XAdd(ctx, &redis.XAddArgs{
				Stream: s.keys().inbox(server), NoMkStream: true, MaxLen: inboxLimit, Approx: true,
				Values: []any{"b", appendMembership([]byte(formatVersion), user)},
			})
		}
		return nil
	})
	if err != nil && err != redis.Nil {
		return fmt.Errorf("tell the servers: %w", err)
	}
	return nil
}
