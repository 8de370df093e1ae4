package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

const (
	// delayedCheck is how often jobs whose time has come are put in line.
	delayedCheck = 500 * time.Millisecond
	// tidyEvery is how often groups are repaired and ended runs forgotten.
	tidyEvery = 5 * time.Second
)

// server works on one queue of a worker. Each queue has an asynq server of its
// own, so that a busy queue does not slow the others and Concurrency is per
// queue.
type server struct {
	run   *workerRun
	h     Handler
	name  string // as asynq names the queue
	base  context.Context
	store *workStore
	asynq *asynq.Server
	log   *slog.Logger
}

func newServer(r *workerRun, rdb redis.UniversalClient, base context.Context, h Handler, name string, signal <-chan struct{}) *server {
	s := &server{run: r, h: h, name: name, base: base, log: r.log.With("queue", h.queue)}
	s.store = newWorkStore(rdb, s, signal)
	s.asynq = asynq.NewServerFromRedisClient(s.store, asynq.Config{
		Concurrency: h.concurrency,
		Queues:      map[string]int{name: 1},
		BaseContext: func() context.Context { return s.base },
		// The store waits for work; asynq's own sleep would come on top.
		TaskCheckInterval:        1,
		DelayedTaskCheckInterval: delayedCheck,
		RetryDelayFunc: func(failed int, _ error, _ *asynq.Task) time.Duration {
			return h.wait(failed + 1)
		},
		// Asynq would put the job of a handler that still runs back in the
		// queue. That comes to workStore.finish, which refuses it.
		ShutdownTimeout: r.drain + drainGrace,
		Logger:          asynqLogger{s.log},
		LogLevel:        asynq.InfoLevel,
	})
	return s
}

func (s *server) start() error { return s.asynq.Start(asynq.HandlerFunc(s.process)) }

// stop returns when the handlers have, or are not waited for any more.
func (s *server) stop() {
	s.asynq.Stop() // Asynq's Shutdown alone would start jobs for a moment.
	s.asynq.Shutdown()
	s.store.giveBackClaim()
}

// tidy repairs what the dashboard did to the groups, now and then.
func (s *server) tidy(ctx context.Context) {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.store.runs.forget(time.Now().Add(-time.Minute))
		if isFIFO(s.h.queue) {
			if err := sweep(ctx, s.store.UniversalClient, s.name); err != nil && ctx.Err() == nil {
				s.log.Warn("could not look after the groups", "error", err)
			}
		}
	}
}
