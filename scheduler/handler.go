package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

// minConcurrency is how many runs go on at the same time in one worker, at least.
const minConcurrency = 16

// Handler returns the handler of the built-in queue, which workers need to run the
// ticks of the schedules. A run that fails is not retried: the next tick follows.
// It stays in the queue's archive, where the dashboard shows it with its error.
//
// The functions' contexts carry the Run, and what the worker's context carries.
// There is no current user.
func Handler(schedules []Schedule) jobs.Handler {
	byName := make(map[string]Schedule, len(schedules))
	var longest time.Duration
	for _, s := range schedules {
		byName[s.name] = s
		longest = max(longest, s.timeout)
	}
	handle := func(ctx context.Context, t tick) error {
		s, ok := byName[t.Name]
		if !ok {
			return fmt.Errorf("this program has no schedule %q", t.Name)
		}
		return s.runAt(ctx, t)
	}
	return newQueue().Handle(handle,
		jobs.Retries(0),
		// Each schedule has its own time-out, which ends a run before this one does.
		jobs.Timeout(longest+time.Minute),
		jobs.Concurrency(max(minConcurrency, 2*len(schedules))),
	)
}

// runAt runs the function for a tick. As for any job, a run that passes its time-out
// has failed, whatever it returns.
func (s Schedule) runAt(ctx context.Context, t tick) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, jobs.ErrTimeout)
	defer cancel()
	ctx = context.WithValue(ctx, runKey{}, Run{Name: t.Name, Cron: t.Cron, ID: t.id(), At: t.at()})
	err := s.run(ctx)
	if ctx.Err() != nil && context.Cause(ctx) == jobs.ErrTimeout {
		return fmt.Errorf("schedule %q: %w", s.name, errors.Join(fmt.Errorf("%w (%v)", jobs.ErrTimeout, s.timeout), err))
	}
	if err != nil {
		return fmt.Errorf("schedule %q: %w", s.name, err)
	}
	return nil
}
