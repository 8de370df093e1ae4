package scheduler

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

const (
	// retryDelay is the wait after Redis failed, at first; it doubles up to the other.
	retryDelay    = 50 * time.Millisecond
	maxRetryDelay = time.Second

	// roundTimeout is how long one look at the clock and the pushes after it may take.
	roundTimeout = 10 * time.Second
)

// Scheduler pushes a job to the built-in queue at each tick of its schedules; a
// worker with Handler runs it. Any number of Schedulers may run side by side, and
// each tick is run once. Fill the fields and call Run.
type Scheduler struct {
	// Redis is asked for the time, and has what is known of the schedules. It is
	// required, and the one that Jobs pushes to.
	Redis redis.UniversalClient

	// Jobs pushes the ticks; its prefix is that of all keys. It is required.
	Jobs *jobs.Client

	// Schedules are the schedules. Their names must differ.
	Schedules []Schedule

	// Logger receives what goes wrong. Nil means slog.Default().
	Logger *slog.Logger

	local func() time.Time // the machine's clock, if not time.Now
	every time.Duration    // between beats, if not beatEvery
}

// Run pushes ticks until ctx is done, then returns nil. Which ticks of the time
// before are run says CatchUp. It returns an error at once when something is wrong
// with the schedules, and when Redis does not answer at the start or refuses what is
// needed. While Redis is away later on it keeps trying.
func (s *Scheduler) Run(ctx context.Context) error {
	if err := Check(s.Schedules); err != nil {
		return err
	}
	if err := redisstep.Check(ctx, s.Redis, guard.Logger(s.Logger)); err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it had begun
		}
		return fmt.Errorf("start scheduler: use Redis: %w", err)
	}
	r := newRounds(s)
	defer r.presence.leave(ctx)
	delay, rounds := retryDelay, redisstep.Outage{Log: s.logger(), What: "scheduler: a round"}
	for {
		wait, err := r.round(s.Jobs.Context(ctx))
		if ctx.Err() != nil {
			return nil
		}
		if rounds.Note(err); err != nil {
			wait, delay = delay, min(2*delay, maxRetryDelay)
		} else {
			delay = retryDelay
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

func (s *Scheduler) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.Default()
	}
	return s.Logger
}

// sleep reports whether it lasted all of d, and not just until ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
