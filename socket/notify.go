package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// inboxLimit bounds a server's inbox, in entries. A server that finds its inbox
// this full knows that some were cut off and reads the logs of its users.
const inboxLimit = 100_000

// notifyTimeout bounds a send's second trip, which a handler's own time-out no
// longer stops: its message is in the log and must reach the servers.
const notifyTimeout = 5 * time.Second

// send appends a frame to the users' logs and tells their servers.
func (s *Sender) send(ctx context.Context, users []string, f frame) error {
	written, err := s.append(ctx, users, f)
	if len(written) > 0 {
		err = errors.Join(err, s.notify(ctx, f, written))
	}
	switch {
	case err == nil:
		return nil
	case len(users) == 1:
		return fmt.Errorf("socket: send: %w", err)
	default:
		return fmt.Errorf("socket: send: %d of %d users may have the message: %w", len(written), len(users), err)
	}
}

// notify is the second trip: one entry for each server that holds connections
// of some of the users. The entry may be repeated when a reply is lost; servers
// drop what they have seen. A server that is gone has no inbox, and none is made.
func (s *Sender) notify(ctx context.Context, f frame, written []appended) error {
	byServer := make(map[string][]position)
	for _, a := range written {
		for _, server := range a.servers {
			byServer[server] = append(byServer[server], a.position)
		}
	}
	if len(byServer) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), notifyTimeout)
	defer cancel()
	var err error
	for attempt := 0; attempt <= len(appendBackoff); attempt++ {
		if err = s.notifyOnce(ctx, f, byServer); err == nil {
			return nil
		}
	}
	return fmt.Errorf("tell the servers: %w: %w", ErrUncertain, err)
}

// notifyOnce takes the servers that it reached out of byServer. go-redis
// repeats the pipeline and pauses in between.
func (s *Sender) notifyOnce(ctx context.Context, f frame, byServer map[string][]position) error {
	k := s.keys()
	pipe := s.redis.Pipeline()
	commands := make(map[string]*redis.StringCmd, len(byServer))
	for server, to := range byServer {
		commands[server] = pipe.XAdd(ctx, &redis.XAddArgs{
			Stream: k.inbox(server), NoMkStream: true, MaxLen: inboxLimit, Approx: true, Values: inboxValues(f, to),
		})
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	var failed error
	for server, cmd := range commands {
		if err := cmd.Err(); err != nil && err != redis.Nil {
			failed = err
			continue
		}
		delete(byServer, server)
	}
	return failed
}
