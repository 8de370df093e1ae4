package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

const (
	// lookAgain is how long a queue with delayed jobs is not looked at. Foreign
	// asynq clients and the dashboard change them without saying so.
	lookAgain = time.Second
	// leaseWait is how long a fetcher waits for the worker's new lease before it
	// asks again.
	leaseWait = 50 * time.Millisecond
	// mostAtOnce bounds how many jobs one look starts, and with it the time
	// that Redis spends on it.
	mostAtOnce = 64
)

// fetcher gets the jobs of one queue for a worker. While nothing is to be done
// it waits for a signal; while all slots are taken it asks for nothing.
type fetcher struct {
	run    *workerRun
	h      Handler
	name   string // of the queue, as asynq has it
	log    *slog.Logger
	signal chan struct{}
	slots  chan struct{} // a token for each job that may be started
	// uncommitted bounds the jobs whose handlers have returned and gave their
	// slots to the next, while their outcomes are written and told.
	uncommitted chan struct{}
	looker      looker
	runs        runs

	// listening is when Redis was last told that we listen for cancellations,
	// in Unix ns.
	listening atomic.Int64

	looking, writing, cancelling redisstep.Outage // for jobs, outcomes, and what was cancelled

	idle    atomic.Bool // the line was empty, and no delayed job is known
	failing int         // looks that got an error since one that went well
}

func newFetcher(r *workerRun, h Handler, name string) *fetcher {
	f := &fetcher{
		run: r, h: h, name: name, log: r.log.With("queue", h.queue),
		signal:      make(chan struct{}, 1),
		slots:       make(chan struct{}, h.concurrency),
		uncommitted: make(chan struct{}, mostAtOnce),
		looker:      looker{rdb: r.rdb, name: name, rate: h.rate},
	}
	f.looking = redisstep.Outage{Log: f.log, What: "looking for jobs"}
	f.writing = redisstep.Outage{Log: f.log, What: "writing the outcomes of jobs"}
	f.cancelling = redisstep.Outage{Log: f.log, What: "looking for cancelled jobs"}
	for range h.concurrency {
		f.slots <- struct{}{}
	}
	return f
}

// fetch works until ctx ends.
func (f *fetcher) fetch(ctx context.Context) {
	defer func() {
		if f.looker.unsure != "" {
			f.run.unsettled.Store(true)
		}
	}()
	seeDue := true
	for {
		most := f.takeSlots(ctx)
		if most == 0 {
			return
		}
		worker := f.run.lease.worker()
		if worker == "" {
			f.giveSlots(most)
			pause(ctx, leaseWait, nil)
			continue
		}
		got, err := f.start(ctx, worker, most, seeDue)
		if err != nil {
			f.failed(ctx, worker, err)
			continue
		}
		// An answer that had been lost is there now, also from a Redis that refuses
		// all else.
		if !got.again {
			f.failing = 0
			f.looking.Note(nil)
		}
		if seeDue = len(got.jobs) < most && !got.more; !seeDue {
			continue
		}
		// Before it waits, it has to know until when.
		if got.sawDue || got.limited > 0 {
			f.wait(ctx, got)
		}
	}
}

// start looks for jobs, as many as there are slots taken for them, and begins
// those that it finds.
func (f *fetcher) start(ctx context.Context, worker string, most int, seeDue bool) (found, error) {
	began := time.Now()
	f.runs.expect()
	got, err := f.looker.look(ctx, worker, most, seeDue)
	f.giveSlots(most - len(got.jobs))
	f.note(got.jobs)
	if f.listening.Load() >= began.UnixNano() {
		// A job may have been cancelled after it was started and before we
		// listened.
		f.cancelMarked(ctx)
	}
	for _, job := range got.jobs {
		f.begin(ctx, job)
	}
	return got, err
}

// takeSlots waits until at least one job may be started and returns how many
// may; 0 when ctx has ended.
func (f *fetcher) takeSlots(ctx context.Context) int {
	select {
	case <-f.slots:
	case <-ctx.Done():
		return 0
	}
	if ctx.Err() != nil {
		f.giveSlots(1)
		return 0
	}
	for n := 1; n < mostAtOnce; n++ {
		select {
		case <-f.slots:
		default:
			return n
		}
	}
	return mostAtOnce
}

func (f *fetcher) giveSlots(n int) {
	for range n {
		f.slots <- struct{}{}
	}
}

// wait returns when there may be something to do.
func (f *fetcher) wait(ctx context.Context, got found) {
	signal, limit := f.signal, time.Duration(0)
	switch {
	case got.limited > 0:
		signal, limit = nil, got.limited
	case got.due > 0:
		limit = min(lookAgain, got.due)
	}
	f.idle.Store(limit == 0)
	defer f.idle.Store(false)
	pause(ctx, limit, signal)
}

// failed notes an error and waits, longer each time; a signal is no reason to
// hurry then.
func (f *fetcher) failed(ctx context.Context, worker string, err error) {
	if errors.Is(err, errGone) {
		f.run.lease.lost(worker)
		return
	}
	if ctx.Err() != nil {
		return
	}
	f.looking.Note(err)
	f.failing++
	pause(ctx, min(time.Second, 5*time.Millisecond<<min(f.failing, 10)), nil)
}

// pause waits for the signal, for the time to pass unless it is 0, or for ctx.
func pause(ctx context.Context, limit time.Duration, signal <-chan struct{}) {
	var after <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		after = timer.C
	}
	select {
	case <-ctx.Done():
	case <-signal:
	case <-after:
	}
}

// wake makes the fetcher look. A signal is kept: it may come between the look
// that found nothing and the wait.
func (f *fetcher) wake() {
	select {
	case f.signal <- struct{}{}:
	default:
	}
}

// note makes the runs known that a look has started: from here on they can be
// cancelled. The lease may have been lost while the reply was on its way.
func (f *fetcher) note(started []*jobRun) {
	for _, job := range started {
		job.ctx, job.cancel = context.WithCancelCause(f.run.base)
		job.retries = f.h.retries
	}
	f.runs.add(started, f.looker.unsure != "")
	for _, job := range started {
		if f.run.lease.worker() != job.worker {
			job.cancel(ErrLeaseLost)
		}
	}
}

// begin hands a job to asynq's server, which calls process with it.
func (f *fetcher) begin(ctx context.Context, job *jobRun) {
	var err error
	if job.message, err = parseMessage(job.message.raw); err == nil && !utf8.ValidString(job.jobID) {
		err = fmt.Errorf("the id %q is not valid UTF-8", job.jobID) // Asynq would not take it.
	}
	if err != nil {
		f.abandon(job, outcome{kind: archived, err: finalError{err}})
		return
	}
	select {
	case f.run.handoff <- string(job.message.forAsynq(f.name, job.jobID)):
	case <-ctx.Done():
		f.abandon(job, outcome{kind: requeued, err: ErrStopping})
	}
}

// abandon ends a run whose handler was never called.
func (f *fetcher) abandon(job *jobRun, o outcome) {
	f.commit(job, o)
	f.forget(job)
	f.giveSlots(1)
}

// forget ends what this process knows of a run.
func (f *fetcher) forget(job *jobRun) {
	job.cancel(nil)
	f.runs.remove(job)
}
