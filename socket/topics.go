package socket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redisstep"
)

// maxTopic is the longest name of a topic, in bytes.
const maxTopic = 256

// ErrTopic: a topic's name is empty, over 256 bytes, or not UTF-8.
var ErrTopic = errors.New("socket: not the name of a topic")

// ErrOffline: only a user who is online, or a connection that was accepted, can
// join a topic.
var ErrOffline = errors.New("socket: not online")

func checkTopic(name string) error {
	if name == "" || len(name) > maxTopic || !utf8.ValidString(name) {
		return fmt.Errorf("%w: %.300q", ErrTopic, name)
	}
	return nil
}

// Join makes the current user a member of a topic, whose name is 1 to 256 bytes of
// UTF-8. What is sent to the topic after Join has returned reaches every device of
// the user, on whichever server it is connected, also one that connects later, and
// one that was away and resumes. Only messages of Ephemeral that are sent in the
// very next moment may miss a device. The user is a member until Leave, or until
// OnOffline. To join twice is to join once.
//
// Where there is no current user, the current connection joins, until it ends;
// where there is neither, Join returns ErrNobody. A user who is not online, and a
// connection that OnConnect or Authenticate is about to decide on, gets ErrOffline;
// OnOnline is a good place to join. After any other error the user may have joined
// or not.
func Join(ctx context.Context, topic string) error {
	s, user, err := memberOf(ctx, topic)
	switch {
	case err != nil:
		return err
	case user != "":
		err = s.topics().join(ctx, user, topic)
	default:
		err = joinAlone(ctx, topic)
	}
	if err != nil {
		return fmt.Errorf("socket: user %q joins topic %q: %w", user, topic, redisstep.Explain(err))
	}
	return nil
}

// Leave ends what Join began. What is sent to the topic in the moment after Leave
// has returned may still reach devices. To leave a topic that one is not in is no
// error. After an error the user may have left or not.
func Leave(ctx context.Context, topic string) error {
	s, user, err := memberOf(ctx, topic)
	switch {
	case err != nil:
		return err
	case user == "":
		connectionFrom(ctx).leaveAlone(topic)
		return nil
	}
	if err := s.topics().leave(ctx, user, topic); err != nil {
		return fmt.Errorf("socket: user %q leaves topic %q: %w", user, topic, err)
	}
	return nil
}

// memberOf returns the current user, or none when there is a current connection.
func memberOf(ctx context.Context, topic string) (s *Sender, user string, err error) {
	if err := checkTopic(topic); err != nil {
		return nil, "", err
	}
	if s, err = senderFrom(ctx); err != nil {
		return nil, "", err
	}
	user = jobs.UserID(ctx)
	if user == "" && connectionFrom(ctx) == nil {
		return nil, "", ErrNobody
	}
	return s, user, nil
}

// joinAlone has the current connection join a topic.
func joinAlone(ctx context.Context, topic string) error {
	if m, ok := FromContext(ctx); !ok || m.User == nil {
		return fmt.Errorf("the connection is not accepted yet: %w", ErrOffline)
	}
	return connectionFrom(ctx).joinAlone(topic)
}

// Members returns the ids of the users who are in a topic, in no order. Anonymous
// connections are not among them. A user who has gone offline is, for a moment, and
// one who joins or leaves meanwhile may be or not. It reads some at a time, so that it
// takes long for a topic that has many, and keeps Redis from nothing else.
func Members(ctx context.Context, topic string) ([]string, error) {
	if err := checkTopic(topic); err != nil {
		return nil, err
	}
	s, err := senderFrom(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]struct{}{} // a scan may come upon a user twice
	for cursor := uint64(0); ; {
		some, next, err := s.redis.HScan(ctx, s.keys().members(topic), cursor, "", membersAtOnce).Result()
		if err != nil {
			return nil, fmt.Errorf("socket: members of topic %q: %w", topic, err)
		}
		for i := 0; i < len(some); i += 2 { // the other half is the times of joining
			seen[some[i]] = struct{}{}
		}
		if cursor = next; cursor == 0 {
			return slices.Collect(maps.Keys(seen)), nil
		}
	}
}

// membersAtOnce is how many members of a topic are read in one step.
const membersAtOnce = 500
