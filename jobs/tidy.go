package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

const (
	// tidyEvery is how often groups are repaired.
	tidyEvery = 5 * time.Second
	// adoptEvery is how often jobs are looked for that a foreign asynq server
	// has left, and adoptAfter how long after its lease, as asynq has it.
	adoptEvery = time.Minute
	adoptAfter = 30 * time.Second
)

// tidy repairs what others did to the queues, now and then, until ctx ends.
func (r *workerRun) tidy(ctx context.Context) {
	tick, seldom := time.NewTicker(tidyEvery), time.NewTicker(adoptEvery)
	defer tick.Stop()
	defer seldom.Stop()
	orphans := &orphans{lease: r.lease}
	warn := func(log *slog.Logger, err error) {
		if err != nil && ctx.Err() == nil {
			log.Warn("could not tidy up", "error", err)
		}
	}
	for {
		repair := sweep
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			warn(r.log, r.list(ctx))
		case <-seldom.C:
			repair = adoptJobs
			warn(r.log, orphans.check(ctx))
		}
		for _, f := range r.fetchers {
			warn(f.log, repair(ctx, f))
		}
	}
}

// list makes sure that the dashboard lists the queues: asynq does so only for a
// process' first push, and an empty queue may be deleted after that.
func (r *workerRun) list(ctx context.Context) error {
	names := make([]any, 0, len(r.fetchers))
	for name := range r.fetchers {
		names = append(names, name)
	}
	if err := r.rdb.SAdd(ctx, asynqQueues, names...).Err(); err != nil {
		return fmt.Errorf("list the queues: %w", err)
	}
	return nil
}

// sweep settles every group of a queue. The scripts keep the groups right by
// themselves; what an operator deletes, archives or runs in the dashboard goes
// past them.
func sweep(ctx context.Context, f *fetcher) error {
	key := keyPrefix(f.name) + "fifo-groups"
	for cursor := uint64(0); ; {
		groups, next, err := f.run.rdb.SScan(ctx, key, cursor, "", 100).Result()
		if err != nil {
			return fmt.Errorf("list the groups: %w", err)
		}
		if len(groups) > 0 {
			args := make([]any, len(groups))
			for i, group := range groups {
				args[i] = group
			}
			if err := runScript(ctx, f.run.rdb, sweepScript, f.name, []string{key}, args...).Err(); err != nil {
				return fmt.Errorf("settle the groups: %w", err)
			}
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

// adoptJobs puts jobs back in line that a foreign asynq server held when it
// died.
func adoptJobs(ctx context.Context, f *fetcher) error {
	over := time.Now().Add(-adoptAfter).Unix()
	if err := runScript(ctx, f.run.rdb, adoptScript, f.name, []string{keyPrefix(f.name) + "lease"}, over).Err(); err != nil {
		return fmt.Errorf("adopt jobs of foreign workers: %w", err)
	}
	return nil
}
