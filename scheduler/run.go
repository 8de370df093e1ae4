package scheduler

import (
	"context"
	"time"
)

// Run describes the tick that a schedule's function is running for. FromContext
// returns it.
type Run struct {
	// Name is the schedule's name and Cron its spec, as given to New.
	Name, Cron string
	// ID names the tick: the same in every process, and different for every tick and
	// every run by hand. It is also the id of the job that runs it.
	ID string
	// At is the time for which the tick was due, in whole seconds. The run itself begins
	// at that time by Redis' clock or later. For a run by hand it is when Trigger was
	// called.
	At time.Time
}

type runKey struct{}

// FromContext returns the tick that the calling function is running for. The
// second result is false outside a schedule's function.
func FromContext(ctx context.Context) (Run, bool) {
	run, ok := ctx.Value(runKey{}).(Run)
	return run, ok
}
