package socket

import (
	"context"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/redis/go-redis/v9"
)

// transition is the payload of a presence job.
type transition struct {
	User       string `json:"user"`
	Generation uint64 `json:"generation"`
	Online     bool   `json:"online"`
}

// PresenceQueue is the name of the built-in FIFO queue whose jobs call OnOnline
// and OnOffline. The group of a job is the user.
const PresenceQueue = "presence.fifo"

var transitions = jobs.NewQueue[transition](PresenceQueue)

// Presence returns the handler of PresenceQueue. A worker that has it calls
// OnOnline and OnOffline of h: for one user in the order of the transitions, and
// each until it succeeds, with at most a minute between two attempts. Success is
// recorded in rdb, so that a job that was pushed twice calls them once.
func (h Handlers) Presence(rdb redis.UniversalClient, prefix string) jobs.Handler {
	a := applier{h, rdb, newKeyspace(prefix)}
	return transitions.Handle(a.apply, jobs.Retries(-1), jobs.Backoff(presenceBackoff))
}

func presenceBackoff(attempt int) time.Duration {
	return min(time.Second<<min(attempt-1, 6), time.Minute)
}

type applier struct {
	handlers Handlers
	redis    redis.UniversalClient
	keys     keyspace
}

// appliedScript records that the handler of a generation succeeded. A hash that
// has expired in the meantime is not made again.
var appliedScript = newScript(`
redis.call('HDEL', KEYS[1], '') -- see newScript
if redis.call('EXISTS', KEYS[1]) == 1 then
  local applied = tonumber(redis.call('HGET', KEYS[1], 'applied') or '0')
  if tonumber(ARGV[1]) > applied then redis.call('HSET', KEYS[1], 'applied', ARGV[1]) end
end
return 1`)

// apply calls the handler of a transition unless that was done before.
func (a applier) apply(ctx context.Context, t transition) error {
	key := a.keys.presence(t.User)
	applied, err := a.redis.HGet(ctx, key, "applied").Uint64()
	if err != nil && err != redis.Nil {
		return fmt.Errorf("socket: presence of user %q: %w", t.User, err)
	}
	if t.Generation <= applied {
		return nil
	}
	handle := a.handlers.OnOffline
	if t.Online {
		handle = a.handlers.OnOnline
	}
	if handle != nil {
		if err := handle(jobs.WithUserID(ctx, t.User), t.User); err != nil {
			return err
		}
	}
	return a.record(ctx, key, t)
}

// record goes on until it has recorded the success or the job has to end: if it
// gave up, the handler would be called again.
func (a applier) record(ctx context.Context, key string, t transition) error {
	for {
		// Even a job whose time is up tries once.
		err := appliedScript.Run(context.WithoutCancel(ctx), a.redis, []string{key}, t.Generation).Err()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("socket: presence of user %q: record success: %w", t.User, err)
		}
		pause(ctx, retryPause)
	}
}
