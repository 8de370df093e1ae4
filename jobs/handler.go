package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
)

const (
	defaultTimeout     = 5 * time.Minute
	defaultConcurrency = 10
)

// Handler is a queue with the function that runs its jobs, for a Worker.
// Queue.Handle makes it.
type Handler struct {
	queue       string
	handle      func(ctx context.Context, payload []byte) (result []byte, err error)
	wrapped     func(ctx context.Context) error // handle with its middleware
	seats       *seats                          // for those at work
	middleware  []Middleware
	timeout     time.Duration
	retries     int
	retriesOf   func(Job) int // nil: retries
	concurrency int
	backoff     func(attempt int) time.Duration
	rate        rate
	retain      time.Duration // of a job that succeeded, at least
	err         error
}

// Queue returns the name of the queue that is handled.
func (h Handler) Queue() string { return h.queue }

// HandlerOption changes how the jobs of a queue are run.
type HandlerOption func(*Handler)

// Timeout is how long a run of the handler may take, longer than zero; the
// default is 5 minutes. Then its context is cancelled with the cause ErrTimeout,
// and once it has returned, with whatever result, the run counts as failed. One
// that has not returned a second later is logged, once and with its stack.
func Timeout(d time.Duration) HandlerOption {
	return func(h *Handler) {
		h.timeout = d
		if d <= 0 {
			h.fail(fmt.Errorf("Timeout(%v): it must be longer than zero", d))
		}
	}
}

// Retries is how many times a failing job is tried again before it is given
// up; the default is 25, in a FIFO queue 10. 0 gives it up when it fails
// first, less than 0 never does, and the most is 2,147,483,647. What is given up
// is kept in the archive of the dashboard (the last 10,000 of 90 days) and can be
// run again there.
func Retries(n int) HandlerOption {
	return func(h *Handler) {
		switch h.retries = n; {
		case n < 0:
			h.retries = math.MaxInt32
		case n > math.MaxInt32:
			h.fail(fmt.Errorf("Retries(%d): it must be at most %d", n, math.MaxInt32))
		}
	}
}

// RetriesOf is Retries for each job by itself: it is asked when the job starts.
// When it panics, which is logged, what Retries says counts; more than that
// takes never gives the job up.
func RetriesOf(retries func(Job) int) HandlerOption {
	return func(h *Handler) {
		h.retriesOf = retries
		if retries == nil {
			h.fail(errors.New("RetriesOf(nil): the function is missing"))
		}
	}
}

// retriesFor is how many times the job is tried again. A function that panics
// takes no worker with it.
func (h Handler) retriesFor(job Job, log *slog.Logger) (n int) {
	if h.retriesOf == nil {
		return h.retries
	}
	if err := guard.Call(func() { n = h.retriesOf(job) }); err != nil {
		log.Warn("Retries is used for RetriesOf", "error", fmt.Sprintf("RetriesOf %v", err))
		return h.retries
	}
	if n < 0 || n > math.MaxInt32 {
		return math.MaxInt32
	}
	return n
}

// mostConcurrency bounds what a worker keeps for jobs that may run.
const mostConcurrency = 100_000

// Concurrency is how many jobs of the queue run at the same time in one worker
// process, 1 to 100,000; the default is 10.
func Concurrency(n int) HandlerOption {
	return func(h *Handler) {
		h.concurrency = n
		if n < 1 || n > mostConcurrency {
			h.fail(fmt.Errorf("Concurrency(%d): it must be from 1 to %d", n, mostConcurrency))
		}
	}
}

// Backoff is how long to wait before the next try of a job that has failed
// attempt times, 1 the first time. In a FIFO queue it is at most a minute,
// whatever is asked for, elsewhere 36,500 days. The default starts at a second
// and doubles up to an hour, in a FIFO queue a minute, less a random part of up
// to a half. It is used, and a warning logged, where the function panics or
// returns a negative time, as one that doubles too often does.
func Backoff(delay func(attempt int) time.Duration) HandlerOption {
	return func(h *Handler) {
		h.backoff = delay
		if delay == nil {
			h.fail(errors.New("Backoff(nil): the function is missing"))
		}
	}
}

func newHandler(queue string, options []HandlerOption) Handler {
	h := Handler{
		queue:       queue,
		timeout:     defaultTimeout,
		retries:     defaultRetries(queue),
		concurrency: defaultConcurrency,
		backoff:     defaultBackoff(longestWait(queue)),
	}
	for i, option := range options {
		if option == nil {
			h.fail(fmt.Errorf("option %d is nil", i+1))
			continue
		}
		option(&h)
	}
	return h
}

func defaultRetries(queue string) int {
	if isFIFO(queue) {
		return 10
	}
	return 25
}

func (h *Handler) fail(err error) { h.err = errors.Join(h.err, err) }

// checkHandlers returns what is wrong with the handlers of a worker.
func checkHandlers(handlers []Handler) error {
	seen := map[string]bool{}
	for i, h := range handlers {
		switch {
		case h.queue == "":
			return fmt.Errorf("handler %d has no queue: make it with Queue.Handle", i)
		case seen[h.queue]:
			return fmt.Errorf("queue %q has two handlers", h.queue)
		case h.err != nil:
			return fmt.Errorf("handler of queue %q: %w", h.queue, h.err)
		}
		seen[h.queue] = true
	}
	return nil
}
