package jobs

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// encoderStore is the Redis that asynq's client sees. It keeps the task that
// asynq has encoded instead of storing it: many go to Redis in one step, with
// group, sequence, dedupe and wake-up.
type encoderStore struct{ redis.UniversalClient }

type newJobKey struct{}

// EvalSha takes the message that asynq wants to enqueue.
func (s encoderStore) EvalSha(ctx context.Context, _ string, keys []string, args ...any) *redis.Cmd {
	job, ok := ctx.Value(newJobKey{}).(*newJob)
	if !ok || shapeOf(keys) != shapeEnqueue { // message, id, now
		return failedCmd(ctx, fmt.Errorf("asynq took an unknown step with the keys %q", keys))
	}
	message, _ := args[0].([]byte)
	if message == nil {
		return failedCmd(ctx, fmt.Errorf("asynq encoded a task as %T", args[0]))
	}
	job.message = message
	return valueCmd(ctx, int64(1))
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
