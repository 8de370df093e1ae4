package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
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
	tidying := redisstep.Outage{Log: r.log, What: "tidying up"}
	sweepers := make([]*sweeper, 0, len(r.fetchers))
	for name, f := range r.fetchers {
		sweepers = append(sweepers, &sweeper{fetcher: f, orphans: orphans{lease: r.lease, queue: name}})
	}
	var seldom time.Time
	every(ctx, tidyEvery, func() {
		now := time.Now()
		isSeldom := now.Sub(seldom) >= adoptEvery
		err := r.tidyOnce(ctx, sweepers, isSeldom)
		if isSeldom && err == nil {
			seldom = now
		}
		if ctx.Err() == nil {
			tidying.Note(err)
		}
	})
}

// resign lets other workers sweep.
func (r *workerRun) resign(ctx context.Context) error {
	var errs []error
	for name := range r.fetchers {
		if err := runScript(ctx, r.rdb, tendScript, name, []string{keyPrefix(name) + "fifo-groups"}, r.id, 0).Err(); err != nil {
			errs = append(errs, fmt.Errorf("let others see to queue %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// tidyOnce goes on when something fails: it may be about one queue.
func (r *workerRun) tidyOnce(ctx context.Context, sweepers []*sweeper, seldom bool) error {
	errs := []error{recordQueues(ctx, r.rdb, r.prefix, r.handlers)}
	if r.lease.clockWentBack.Swap(false) {
		err := r.shortenWaits(ctx)
		if err != nil {
			r.lease.clockWentBack.Store(true)
		}
		errs = append(errs, err)
	}
	busy, err := r.toTend(ctx, sweepers, seldom)
	errs = append(errs, err)
	for _, s := range busy {
		errs = append(errs, s.tend(ctx, seldom))
	}
	return errors.Join(errs...)
}

// toTend returns those of the sweepers that may have something to do.
func (r *workerRun) toTend(ctx context.Context, sweepers []*sweeper, seldom bool) (busy []*sweeper, err error) {
	whats := []string{"fifo-groups"}
	if seldom {
		whats = append(whats, "active", "lease")
	}
	var keys []string
	for _, s := range sweepers {
		for _, what := range whats {
			keys = append(keys, keyPrefix(s.fetcher.name)+what)
		}
	}
	some, err := anyExists(ctx, r.rdb, keys)
	if err != nil || !some {
		return nil, err
	}
	exists, err := eachExists(ctx, r.rdb, keys)
	if err != nil {
		return nil, err
	}
	for i, s := range sweepers {
		if slices.Contains(exists[i*len(whats):(i+1)*len(whats)], true) {
			busy = append(busy, s)
		}
	}
	return busy, nil
}

// shortenTrip is how many delayed jobs are looked at in one step.
const shortenTrip = 200

// shortenWaits sees to jobs that were delayed for some time while the clock of
// Redis was ahead: they would wait for that much longer.
func (r *workerRun) shortenWaits(ctx context.Context) error {
	var errs []error
	for _, f := range r.fetchers {
		n, err := f.shortenWaits(ctx)
		if n > 0 {
			f.log.Warn("jobs would have waited too long, since the clock of Redis was ahead when they were delayed", "jobs", n)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (f *fetcher) shortenWaits(ctx context.Context) (shortened int64, err error) {
	for kept := int64(0); ; {
		counts, err := runScript(ctx, f.run.rdb, shortenScript, f.name, []string{keyPrefix(f.name) + "due"}, kept, shortenTrip).Int64Slice()
		if err != nil {
			return shortened, fmt.Errorf("shorten the waits of delayed jobs in queue %q: %w", f.name, err)
		}
		if len(counts) != 2 || counts[0] == 0 {
			return shortened, nil
		}
		kept, shortened = kept+counts[0]-counts[1], shortened+counts[1]
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
