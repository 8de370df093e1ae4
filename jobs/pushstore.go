package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// pushStore is the Redis that asynq's client sees. It puts a script of ours in
// the place of asynq's enqueue and schedule, so that group, sequence, dedupe
// and wake-up happen in one step with the job itself.
type pushStore struct{ redis.UniversalClient }

type pushStepKey struct{}

// pushStep is what one push wants beyond what asynq knows, and what became of
// it. The context takes it through asynq.
type pushStep struct {
	queue, token, lane, group, dedupe string

	id       string // of the job that is in the queue now
	conflict bool   // another job has the id
	err      error
}

// EvalSha carries out a script of asynq's, or ours in its place.
func (s pushStore) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	step, ok := ctx.Value(pushStepKey{}).(*pushStep)
	if !ok {
		return s.UniversalClient.EvalSha(ctx, sha, keys, args...)
	}
	switch shapeOf(keys) {
	case shapeEnqueue: // message, id, now
		return s.push(ctx, step, keys, args[0], args[1], "")
	case shapeSchedule: // message, time in seconds, id
		return s.push(ctx, step, keys, args[0], args[2], args[1])
	}
	step.err = fmt.Errorf("asynq took an unknown step with the keys %q", keys)
	return failedCmd(ctx, step.err)
}

func (s pushStore) push(ctx context.Context, step *pushStep, keys []string, message, id, score any) *redis.Cmd {
	keys = append(keys[:len(keys):len(keys)], step.lane)
	if step.dedupe != "" {
		keys = append(keys, step.dedupe)
	}
	reply, err := runScript(ctx, s.UniversalClient, pushScript, step.queue, keys,
		message, id, step.token, score, step.group, int(dedupeWindow.Seconds())).Slice()
	if err == nil && len(reply) != 2 {
		err = errors.New("unexpected reply of the push script")
	}
	if err != nil {
		step.err = err
		return failedCmd(ctx, err)
	}
	stored, _ := reply[0].(int64)
	step.id, _ = reply[1].(string)
	step.conflict = stored == 0
	return valueCmd(ctx, stored)
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
