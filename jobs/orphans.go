package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// orphansTrip is how many running jobs are looked at in one trip.
const orphansTrip = 500

// orphans finds jobs of a queue that run under a lease which Redis has forgotten,
// as it may in a fail-over: no worker renews it, and none would take it for dead.
type orphans struct {
	lease *lease
	queue string // as asynq has it
	// suspects are the owners that had no lease when they were looked at last. One
	// may just have been taken.
	suspects map[string]bool
}

// check recovers the jobs of those that had no lease twice.
func (o *orphans) check(ctx context.Context) error {
	owners, err := o.owners(ctx)
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for owner := range owners {
		known, err := o.known(ctx, owner)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		found[owner] = true
		if o.suspects[owner] {
			o.lease.log.Warn("jobs run under a lease that Redis has forgotten", "worker", owner, "queue", o.queue)
			if err := o.lease.bury(ctx, dead{owner, o.queue}, time.Now().Add(beatEvery)); err != nil {
				return err
			}
		}
	}
	o.suspects = found
	return nil
}

// owners returns the workers that run jobs of the queue.
func (o *orphans) owners(ctx context.Context) (map[string]bool, error) {
	ids, err := o.lease.rdb.LRange(ctx, keyPrefix(o.queue)+"active", 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("list the running jobs of queue %q: %w", o.queue, err)
	}
	owners := map[string]bool{}
	for some := range slices.Chunk(ids, orphansTrip) {
		pipe := o.lease.rdb.Pipeline()
		runs := make([]*redis.StringCmd, len(some))
		for i, id := range some {
			runs[i] = pipe.HGet(ctx, taskKey(o.queue, id), "run")
		}
		// Without a run it is a foreign worker's, or has just ended.
		if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
			return nil, fmt.Errorf("look who runs the jobs of queue %q: %w", o.queue, err)
		}
		for _, run := range runs {
			if worker, _, ok := strings.Cut(run.Val(), ":"); ok {
				owners[worker] = true
			}
		}
	}
	return owners, nil
}

// known reports whether the worker has a lease, or is known to have lost it.
func (o *orphans) known(ctx context.Context, worker string) (bool, error) {
	pipe := o.lease.rdb.Pipeline()
	live := pipe.ZMScore(ctx, workersKey(o.lease.prefix, "live"), worker+" "+o.queue)
	dead := pipe.ZMScore(ctx, deadKey(o.lease.prefix, o.queue), worker)
	if _, err := pipe.Exec(ctx); err != nil {
		return false, fmt.Errorf("look up a worker's lease: %w", err)
	}
	return slices.ContainsFunc(append(live.Val(), dead.Val()...), func(score float64) bool { return score > 0 }), nil
}
