package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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
	// Logger gets a line for each run; nil means slog.Default().
	Logger *slog.Logger
	// Drain is how long running handlers may go on when the worker stops; zero
	// means 25 seconds.
	Drain time.Duration
}

// Run works until ctx is cancelled, and then stops: no further job is started,
// running handlers go on for up to Drain, then their contexts are cancelled
// with the cause ErrStopping, and the job of a handler that returns an error
// after that goes back to its queue with nothing charged.
//
// Handlers get the values of ctx but not its cancellation, and a client unless
// ctx carries one. Run returns nil after a clean stop. It returns an error at
// once when a field is wrong or Redis does not answer at the start, and after
// the stop when handlers did not return in time; their jobs are run again when
// their leases have expired. While Redis is away later on it keeps trying.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.check(ctx); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	r := newWorkerRun(ctx, w)
	var background sync.WaitGroup
	background.Go(func() { r.wakeups.run(ctx) })
	for _, s := range r.servers {
		background.Go(func() { s.tidy(ctx) })
		if err := s.start(); err != nil {
			return fmt.Errorf("start worker: %w", err) // Not with servers made just now.
		}
	}
	<-ctx.Done()
	err := r.stop()
	background.Wait()
	return err
}

func (w *Worker) check(ctx context.Context) error {
	if w.Redis == nil {
		return errors.New("the field Redis is nil")
	}
	if err := checkPrefix(w.Prefix); err != nil {
		return err
	}
	if err := checkHandlers(w.Handlers); err != nil {
		return err
	}
	return recordQueues(ctx, w.Redis, w.Prefix, w.Handlers)
}

// recordQueues makes the queues known to clients in other programs.
func recordQueues(ctx context.Context, rdb redis.UniversalClient, prefix string, handlers []Handler) error {
	if len(handlers) == 0 {
		return nil
	}
	names := make([]any, len(handlers))
	for i, h := range handlers {
		names[i] = h.queue
	}
	if err := rdb.SAdd(ctx, recordKey(prefix), names...).Err(); err != nil {
		return fmt.Errorf("record the queues in Redis: %w", err)
	}
	return nil
}

// workerRun is one call of Worker.Run.
type workerRun struct {
	wakeups *wakeups
	servers []*server
	phase   phase
	drain   time.Duration
	log     *slog.Logger
	running atomic.Int64 // handlers that have not returned
}

// phase says how far a stop has come. Each context is cancelled when it is
// reached.
type phase struct {
	stopping  context.Context // no further job is started
	cancelled context.Context // handlers are to return
	over      context.Context // handlers are not waited for any more

	cancel, end context.CancelFunc
}

func newWorkerRun(ctx context.Context, w *Worker) *workerRun {
	r := &workerRun{drain: w.Drain, log: w.Logger}
	if r.drain <= 0 {
		r.drain = defaultDrain
	}
	if r.log == nil {
		r.log = slog.Default()
	}
	r.phase.stopping = ctx
	r.phase.cancelled, r.phase.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.phase.over, r.phase.end = context.WithCancel(context.WithoutCancel(ctx))

	base := context.WithoutCancel(ctx)
	if base.Value(clientKey{}) == nil {
		client := NewClient(w.Redis)
		client.Prefix, client.Handles = w.Prefix, w.Handlers
		base = client.Context(base)
	}
	r.wakeups = &wakeups{rdb: w.Redis, log: r.log, connected: func(ctx context.Context) error {
		return recordQueues(ctx, w.Redis, w.Prefix, w.Handlers)
	}}
	for _, h := range w.Handlers {
		name := asynqQueueName(w.Prefix, h.queue)
		r.servers = append(r.servers, newServer(r, w.Redis, base, h, name, r.wakeups.add(name)))
	}
	return r
}

// stop ends what Run started, after ctx was cancelled.
func (r *workerRun) stop() error {
	defer r.phase.cancel()
	defer r.phase.end()
	drained := time.AfterFunc(r.drain, r.phase.cancel)
	defer drained.Stop()
	over := time.AfterFunc(r.drain+drainGrace, r.phase.end)
	defer over.Stop()

	var servers sync.WaitGroup
	for _, s := range r.servers {
		servers.Go(s.stop)
	}
	servers.Wait()
	if n := r.running.Load(); n > 0 {
		return fmt.Errorf("stop worker: gave up on %d handlers that did not return within %v", n, r.drain+drainGrace)
	}
	return nil
}
