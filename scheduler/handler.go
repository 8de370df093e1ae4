package scheduler

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

const (
	// minConcurrency is how many runs go on at the same time in one worker, at least.
	minConcurrency = 16

	// While an older program runs beside a newer one its workers get ticks that they
	// do not know, and give them to others, for some time.
	foreignDelay = 5 * time.Second
	foreignFor   = time.Hour
)

// Handler returns the handler of the built-in queue, which workers need to run the
// ticks of the schedules. A run that fails, its retries used up if it has any, stays
// in the queue's archive, where the dashboard shows it with its error.
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
	handle := func(ctx context.Context, t tick) ([]byte, error) {
		s, ok := byName[t.Name]
		if !ok {
			return nil, foreign(ctx, t)
		}
		return s.runTick(ctx, t)
	}
	return jobs.HandleResult(newQueue(), handle,
		jobs.RetriesOf(func(job jobs.Job) int {
			if s, ok := byName[job.Params[scheduleParam]]; ok {
				return s.retries
			}
			return math.MaxInt32
		}),
		// Each schedule has its own time-out, which ends a run before this one does.
		jobs.Timeout(longest+time.Minute),
		jobs.Concurrency(max(minConcurrency, 2*len(schedules))),
	)
}

// foreign is what becomes of a tick that this program does not know.
func foreign(ctx context.Context, t tick) error {
	err := fmt.Errorf("this program has no schedule %q", t.Name)
	job, _ := jobs.FromContext(ctx)
	// Counted in tries, since the clocks of the pusher and of the workers may differ.
	if job.Attempt <= int(foreignFor/foreignDelay) {
		return jobs.RetryIn(err, foreignDelay)
	}
	return jobs.Permanent(err)
}
