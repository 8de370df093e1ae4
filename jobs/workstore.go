package jobs

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// workStore is the Redis that a worker's asynq server sees. Jobs come to it
// from the fetchers, and process has written their outcomes when asynq wants to
// write them; so what asynq asks for on both occasions is answered here. Its
// heartbeat, which the dashboard shows, and its cleaning up pass.
type workStore struct {
	redis.UniversalClient
	handoff  <-chan string   // encoded tasks
	stopping context.Context // asynq is to stop
}

// handoffWait bounds how long asynq waits for a task at a time: it has set the
// end of the task's lease before it asks for one.
const handoffWait = time.Second

// EvalSha carries out a script of asynq's, or answers in its place.
func (s *workStore) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	switch shapeOf(keys) {
	case shapeDequeue:
		return s.dequeue(ctx)
	case shapeFinish:
		return valueCmd(ctx, "OK")
	case shapeExpired:
		return valueCmd(ctx, []any{}) // The leases are ours; see lease.go.
	case shapeForget:
		queue, _, _ := strings.Cut(strings.TrimPrefix(keys[0], "asynq:{"), "}:")
		return runScript(ctx, s.UniversalClient, forgetScript, queue, keys) // The time is Redis'.
	default:
		return s.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
}

// ZAddXX is how asynq extends the leases of tasks.
func (s *workStore) ZAddXX(ctx context.Context, key string, members ...redis.Z) *redis.IntCmd {
	if kindOf(key) != "lease" {
		return s.UniversalClient.ZAddXX(ctx, key, members...)
	}
	cmd := redis.NewIntCmd(ctx)
	cmd.SetVal(0)
	return cmd
}

// Subscribe is how asynq listens for jobs that are cancelled in the dashboard, as
// wakeups does. Asynq gets a subscription to nothing instead: were it refused to a
// user of Redis who may not use channels, asynq would ask again every five seconds,
// and leave a connection open each time. The reply to a PING is as good to it as
// that to a SUBSCRIBE.
func (s *workStore) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	silent := s.UniversalClient.Subscribe(ctx)
	if err := silent.Ping(ctx); err != nil {
		_ = silent.Close()
		return s.UniversalClient.Subscribe(ctx, channels...) // Redis is away: asynq tries again.
	}
	return silent
}

// dequeue gives asynq the next task. It asks queue by queue and takes whichever
// comes.
func (s *workStore) dequeue(ctx context.Context) *redis.Cmd {
	select {
	case task := <-s.handoff:
		return valueCmd(ctx, task)
	default:
	}
	timer := time.NewTimer(handoffWait)
	defer timer.Stop()
	select {
	case task := <-s.handoff:
		return valueCmd(ctx, task)
	case <-s.stopping.Done():
	case <-timer.C:
	}
	return failedCmd(ctx, redis.Nil)
}

func failedCmd(ctx context.Context, err error) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(err)
	return cmd
}

func valueCmd(ctx context.Context, value any) *redis.Cmd {
	cmd := redis.NewCmd(ctx)
	cmd.SetVal(value)
	return cmd
}
