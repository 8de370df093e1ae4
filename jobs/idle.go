package jobs

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// idleCheck is how often idle queues are looked at, all of them at once. It is
// how late a job is found whose push was not announced: one from a foreign
// asynq client, or one that was run in the dashboard.
const idleCheck = time.Second

// watchIdle wakes idle fetchers when there is something in their queues, until
// ctx ends. What it costs does not grow with the number of queues.
func (r *workerRun) watchIdle(ctx context.Context) {
	every(ctx, idleCheck, func() { r.checkIdle(ctx) })
}

// every calls do in intervals until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			do()
		}
	}
}

func (r *workerRun) checkIdle(ctx context.Context) {
	var idle []*fetcher
	var keys []string
	for _, f := range r.fetchers {
		if f.idle.Load() {
			prefix := keyPrefix(f.name)
			idle = append(idle, f)
			keys = append(keys, prefix+"pending", prefix+"scheduled", prefix+"retry")
		}
	}
	if len(keys) == 0 {
		return
	}
	if some, err := anyExists(ctx, r.rdb, keys); err == nil && !some {
		return
	}
	for _, f := range idle {
		f.wake()
	}
}

// anyExists asks for all keys at once; where they live on several servers, in
// one pipeline.
func anyExists(ctx context.Context, rdb redis.UniversalClient, keys []string) (bool, error) {
	if single, ok := rdb.(*redis.Client); ok {
		n, err := single.Exists(ctx, keys...).Result()
		return n > 0, err
	}
	each, err := eachExists(ctx, rdb, keys)
	return slices.Contains(each, true), err
}

// eachExists tells which of the keys there are.
func eachExists(ctx context.Context, rdb redis.UniversalClient, keys []string) ([]bool, error) {
	pipe := rdb.Pipeline()
	answers := make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		answers[i] = pipe.Exists(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, err
	}
	exists := make([]bool, len(keys))
	for i, answer := range answers {
		exists[i] = answer.Val() > 0
	}
	return exists, nil
}
