package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

const (
	defaultDrain = 25 * time.Second
	// drainGrace is how long a handler may take to return once its context was
	// cancelled because the worker stops.
	drainGrace = 2 * time.Second
)

// Worker runs handlers for the jobs in their queues.
type Worker struct {
	// Redis is where the queues are. It is not closed.
	Redis redis.UniversalClient
	// Prefix is the one that the clients push with.
	Prefix string
	// Handlers says what is run, one handler for a queue. None is fine, and
	// nothing is run.
	Handlers []Handler
	// Middleware is put around every handler, the first one outermost, and
	// outside of a handler's own.
	Middleware []Middleware
	// OnUpdate is called with what becomes of jobs that were pushed with
	// NotifyUser: each progress and the end, on the worker that runs the job.
	// Its context is like the handler's, with the job's user. An error is logged,
	// and so is a panic.
	OnUpdate func(ctx context.Context, update Info) error
	// Logger gets a line when a job starts and one when it ends; nil means
	// slog.Default(). A line on which its handler panics goes to stderr.
	Logger *slog.Logger
	// Drain is how long running handlers may go on when the worker stops; zero
	// means 25 seconds, and less is an error.
	Drain time.Duration
}

// Run works until ctx is cancelled, and then stops: no further job is started,
// running handlers go on for up to Drain, then their contexts are cancelled
// with the cause ErrStopping, and the job of a handler that returns an error
// after that goes back to its queue with nothing charged.
//
// Handlers get the values of ctx but not its cancellation, and a client unless
// ctx carries one. Run returns nil after a clean stop. It returns an error at
// once when a field is wrong or Redis does not answer at the start, or refuses
// what is needed (see the package's A Redis that is not as expected), and after
// the stop when handlers did not return in time; their jobs are run again when
// their leases have expired. While Redis is away later on it keeps trying.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.check(ctx); err != nil {
		return startError(ctx, err)
	}
	if len(w.Handlers) == 0 {
		<-ctx.Done()
		return nil
	}
	handlers := make([]Handler, len(w.Handlers))
	for i, h := range w.Handlers {
		var err error
		if handlers[i], err = h.with(w.Middleware); err != nil {
			return startError(ctx, err)
		}
	}
	r := newWorkerRun(ctx, w, handlers)
	if err := r.lease.take(ctx); err != nil {
		return startError(ctx, err)
	}
	return r.work(ctx)
}

// drain is how long running handlers may go on, less than would overflow with
// what comes on top.
func (w *Worker) drain() time.Duration {
	if w.Drain == 0 {
		return defaultDrain
	}
	return min(w.Drain, math.MaxInt64-drainGrace)
}

// startError is nil when the start was not to be.
func startError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("start worker: %w", err)
}

func (w *Worker) check(ctx context.Context) error {
	if w.Redis == nil {
		return errors.New("the field Redis is nil")
	}
	if w.Drain < 0 {
		return fmt.Errorf("the field Drain is %v: it must not be negative", w.Drain)
	}
	if err := checkPrefix(w.Prefix); err != nil {
		return err
	}
	if err := checkHandlers(w.Handlers); err != nil {
		return err
	}
	if err := redisstep.Check(ctx, w.Redis, guard.Logger(w.Logger)); err != nil {
		return fmt.Errorf("use Redis: %w", err)
	}
	return recordQueues(ctx, w.Redis, w.Prefix, w.Handlers)
}
