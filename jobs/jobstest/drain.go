package jobstest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
)

// Drain runs the jobs in the queues, and those that they push, until none is
// left but delayed ones. A job is tried once: what fails is given up, be it with
// an error, a panic or a time-out, and its error is part of the one that Drain
// returns, which errors.Is and errors.As look into. It returns early with ctx.
func (q *Queues) Drain(ctx context.Context) error {
	failed := &failures{}
	w := &jobs.Worker{
		Redis: q.rdb, Handlers: once(q.handlers), Logger: slog.New(slog.DiscardHandler),
		Middleware: []jobs.Middleware{failed.note},
	}
	working, stop := context.WithCancel(ctx)
	result := make(chan error, 1)
	go func() { result <- w.Run(working) }()
	err := q.settle(ctx)
	stop()
	return errors.Join(err, <-result, failed.err())
}

// once returns the handlers, which try each job once.
func once(handlers []jobs.Handler) []jobs.Handler {
	handlers = slices.Clone(handlers)
	for i := range handlers {
		jobs.RetriesOf(func(jobs.Job) int { return 0 })(&handlers[i])
	}
	return handlers
}

// settle waits until there is nothing to run. One job may push another to a
// queue that was looked at before, so all are looked at twice.
func (q *Queues) settle(ctx context.Context) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	before := -1
	for {
		busy, processed, err := q.count()
		if err != nil || !busy && processed == before {
			return err
		}
		before = processed
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (q *Queues) count() (busy bool, processed int, err error) {
	inspector := asynq.NewInspectorFromRedisClient(q.rdb)
	for _, h := range q.handlers {
		info, err := inspector.GetQueueInfo(h.Queue())
		if errors.Is(err, asynq.ErrQueueNotFound) {
			continue // Nothing was ever pushed to it.
		}
		if err != nil {
			return false, 0, fmt.Errorf("look at queue %q: %w", h.Queue(), err)
		}
		busy = busy || info.Pending+info.Active > 0
		processed += info.ProcessedTotal
	}
	return busy, processed, nil
}
