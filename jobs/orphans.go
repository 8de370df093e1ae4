package jobs

import (
	"context"
	"fmt"
	"strings"
)

// orphans finds jobs that run under a lease which Redis has forgotten, as it may
// in a fail-over: no worker renews it, and none would take it for dead.
type orphans struct {
	lease *lease
	// suspects are the owners in each queue, "worker queue", that had no lease
	// when they were looked at last. One may just have been taken.
	suspects map[string]bool
}

// check puts those that had no lease twice among the dead.
func (o *orphans) check(ctx context.Context) error {
	owners := map[string]bool{}
	for _, queue := range o.lease.queues {
		if err := o.addOwners(ctx, queue, owners); err != nil {
			return err
		}
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
			if err := o.bury(ctx, owner); err != nil {
				return err
			}
		}
	}
	o.suspects = found
	return nil
}

// addOwners adds those who run jobs of a queue.
func (o *orphans) addOwners(ctx context.Context, queue string, owners map[string]bool) error {
	ids, err := o.lease.rdb.LRange(ctx, keyPrefix(queue)+"active", 0, -1).Result()
	if err != nil {
		return fmt.Errorf("list the running jobs of queue %q: %w", queue, err)
	}
	for _, id := range ids {
		// Without a run it is a foreign worker's, or has just ended.
		run, _ := o.lease.rdb.HGet(ctx, taskKey(queue, id), "run").Result()
		if worker, _, ok := strings.Cut(run, ":"); ok {
			owners[worker+" "+queue] = true
		}
	}
	return nil
}

func (o *orphans) known(ctx context.Context, owner string) (bool, error) {
	for _, which := range []string{"live", "dead"} {
		ranks, err := o.lease.rdb.ZMScore(ctx, workersKey(o.lease.prefix, which), owner).Result()
		if err != nil {
			return false, fmt.Errorf("look up a worker's lease: %w", err)
		}
		if len(ranks) == 1 && ranks[0] > 0 {
			return true, nil
		}
	}
	return false, nil
}

func (o *orphans) bury(ctx context.Context, owner string) error {
	o.lease.log.Warn("jobs run under a lease that Redis has forgotten", "worker and queue", owner)
	return o.lease.bury(ctx, owner)
}
