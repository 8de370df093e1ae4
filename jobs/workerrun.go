package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/redis/go-redis/v9"
)

// workerRun is one call of Worker.Run.
type workerRun struct {
	id       string // of this process among the workers
	rdb      redis.UniversalClient
	prefix   string
	handlers []Handler
	base     context.Context // of all handlers' contexts
	log      *slog.Logger
	drain    time.Duration
	onUpdate func(context.Context, Info) error

	lease    *lease
	fetchers map[string]*fetcher // by queue, as asynq has it
	wakeups  *wakeups
	commits  commits
	handoff  chan string // tasks, from the fetchers to asynq's server
	server   *asynq.Server

	phase     phase
	running   atomic.Int64   // handlers that have not returned
	returned  chan struct{}  // gets one when running may have come to 0
	unsettled atomic.Bool    // an outcome, or the reply to the last look, was lost
	telling   sync.WaitGroup // of jobs that were given up by recovery
	noting    sync.WaitGroup // that the worker was told to stop
}

// phase says how far a stop has come. Each context is cancelled when it is
// reached.
type phase struct {
	stopping  context.Context // no further job is started
	cancelled context.Context // handlers are to return
	over      context.Context // handlers are not waited for any more

	cancel, end context.CancelFunc
}

func newWorkerRun(ctx context.Context, w *Worker, handlers []Handler) *workerRun {
	r := &workerRun{
		id: rand.Text(), rdb: w.Redis, prefix: w.Prefix, handlers: handlers, drain: w.drain(), onUpdate: w.OnUpdate,
	}
	r.log = guard.Logger(w.Logger)
	r.phase.stopping = ctx
	r.phase.cancelled, r.phase.cancel = context.WithCancel(context.WithoutCancel(ctx))
	r.phase.over, r.phase.end = context.WithCancel(context.WithoutCancel(ctx))
	r.base = context.WithoutCancel(ctx)
	if r.base.Value(clientKey{}) == nil {
		client := NewClient(w.Redis)
		client.Prefix, client.Handles = w.Prefix, w.Handlers
		r.base = client.Context(r.base)
	}
	r.handoff, r.returned = make(chan string), make(chan struct{}, 1)
	r.commits = commits{rdb: w.Redis, requests: make(chan commitRequest)}
	r.lease = &lease{rdb: w.Redis, prefix: w.Prefix, log: r.log, dropped: r.dropRuns, gaveUp: r.tellGivenUp}
	r.wakeups = &wakeups{rdb: w.Redis, log: r.log, fetchers: map[string]*fetcher{}, connected: func(ctx context.Context) error {
		return recordQueues(ctx, w.Redis, w.Prefix, w.Handlers)
	}}
	r.fetchers = map[string]*fetcher{}
	for _, h := range handlers {
		name := asynqQueueName(w.Prefix, h.queue)
		f := newFetcher(r, h, name)
		r.fetchers[name] = f
		r.wakeups.fetchers[wakeChannel(name)] = f
		r.lease.queues = append(r.lease.queues, name)
	}
	r.server = newServer(r)
	return r
}

// work runs jobs until the worker is to stop, and returns when all has ended.
func (r *workerRun) work(ctx context.Context) error {
	if err := r.server.Start(asynq.HandlerFunc(r.process)); err != nil {
		return err // Not with a server made just now.
	}
	var fetching, helping, committing sync.WaitGroup
	for _, f := range r.fetchers {
		fetching.Go(func() { f.fetch(ctx) })
	}
	for _, help := range []func(context.Context){r.watchIdle, r.tidy} {
		helping.Go(func() { help(ctx) })
	}
	// Handlers that still run can be cancelled, and keep their lease.
	for _, help := range []func(context.Context){r.wakeups.run, r.lease.run} {
		helping.Go(func() { help(r.phase.over) })
	}
	for range 2 { // One trip is prepared while the other is under way.
		committing.Go(func() { r.commits.run(r.phase.over) })
	}
	<-ctx.Done()
	r.noting.Go(r.noteStopping)
	err := r.stop(&fetching)
	helping.Wait()
	r.telling.Wait()
	r.noting.Wait()
	committing.Wait()
	return err
}

// stop waits for the fetchers and then for the handlers, within bounds: a
// fetcher may have to give a job back, and Redis may be away.
func (r *workerRun) stop(fetching *sync.WaitGroup) error {
	defer r.phase.cancel()
	defer r.phase.end()
	drained := time.AfterFunc(r.drain, r.phase.cancel)
	defer drained.Stop()
	over := time.AfterFunc(r.drain+drainGrace, r.phase.end)
	defer over.Stop()

	fetching.Wait()
	r.server.Stop() // Asynq's Shutdown alone would start jobs for a moment.
	r.server.Shutdown()
	r.waitForHandlers()
	if n := r.running.Load(); n > 0 {
		return fmt.Errorf("stop worker: gave up on %d handlers that did not return within %v", n, r.drain+drainGrace)
	}
	if r.unsettled.Load() {
		return nil // The lease has to expire, so that the jobs are recovered.
	}
	r.noting.Wait()
	ctx, cancel := context.WithTimeout(r.phase.over, time.Second)
	defer cancel()
	if err := errors.Join(r.resign(ctx), r.forgetStopping(ctx, r.lease.worker()), r.lease.release(ctx)); err != nil {
		r.log.Warn("could not say that the worker has stopped", "error", err)
	}
	return nil
}

// noteStopping lets the others know that the worker was told to stop. If it ends
// with jobs that do not listen to their contexts, or is killed since it takes too
// long, that is not their fault: see recover.lua.
func (r *workerRun) noteStopping() {
	worker := r.lease.worker()
	if worker == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.phase.over, time.Second)
	defer cancel()
	for name, f := range r.fetchers {
		if err := runScript(ctx, r.rdb, stoppingScript, name, []string{stoppingKey(name, worker)}).Err(); err != nil && r.phase.over.Err() == nil {
			f.log.Warn("could not note that the worker stops", "error", err)
		}
	}
}

// forgetStopping takes the note back: nothing was left behind.
func (r *workerRun) forgetStopping(ctx context.Context, worker string) error {
	pipe := r.rdb.Pipeline()
	for name := range r.fetchers {
		pipe.Del(ctx, stoppingKey(name, worker))
	}
	_, err := pipe.Exec(ctx)
	return err
}

// waitForHandlers waits also for those that asynq has left, because their jobs
// were cancelled in the dashboard.
func (r *workerRun) waitForHandlers() {
	for r.running.Load() > 0 {
		select {
		case <-r.returned:
		case <-r.phase.over.Done():
			return
		}
	}
}

// dropRuns cancels the handlers that run under a lost lease.
func (r *workerRun) dropRuns(worker string) (ended bool) {
	ended = true
	for _, f := range r.fetchers {
		for _, job := range f.runs.under(worker) {
			ended = false
			job.cancel(ErrLeaseLost)
		}
	}
	return ended
}
