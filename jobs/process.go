package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
)

// process runs the handler for a job that a fetcher has begun. Asynq calls it
// and may go on when the handler has returned; writing the outcome is not its
// business.
func (r *workerRun) process(ctx context.Context, _ *asynq.Task) error {
	queue, _ := asynq.GetQueueName(ctx)
	id, _ := asynq.GetTaskID(ctx)
	f := r.fetchers[queue]
	if f == nil {
		return fmt.Errorf("job %q names the queue %q, which this worker does not handle", id, queue)
	}
	run := f.runs.get(id)
	if run == nil {
		return fmt.Errorf("queue %q: job %q was not started by this worker", queue, id)
	}
	returned := make(chan struct{})
	r.running.Add(1)
	go f.process(run, returned)
	<-returned
	return nil
}

// process runs the handler, closes returned, and writes the outcome. A handler
// may end its goroutine, which is this one; what comes after it is deferred.
func (f *fetcher) process(run *jobRun, returned chan<- struct{}) {
	job, err := f.describe(run)
	log := f.logOf(job)
	run.retries = f.h.retriesFor(job, log)
	log.Info("job started")
	began := time.Now()
	var result []byte
	var cause error
	defer func() {
		o := f.h.decide(log, run, result, failureOf(err, cause, f.h.timeout))
		report(log, o, time.Since(began))
		f.uncommitted <- struct{}{}
		f.giveSlots(1)
		close(returned)
		o, written := f.commit(run, o)
		f.forget(run)
		if written {
			f.notify(job, run, o)
		}
		<-f.uncommitted
		f.run.ended()
	}()
	if err != nil {
		return
	}
	err = errEndedGoroutine
	defer context.AfterFunc(f.run.phase.cancelled, func() { run.cancel(ErrStopping) })()
	result, cause, err = f.h.call(f.contextOf(run, job), f.log, run.message.payload)
}

// ended notes that a handler has returned and its outcome is written.
func (r *workerRun) ended() {
	if r.running.Add(-1) == 0 {
		select {
		case r.returned <- struct{}{}:
		default:
		}
	}
}

// describe makes the Job that the handler sees, even when it returns an error.
func (f *fetcher) describe(run *jobRun) (Job, error) {
	job := Job{ID: run.jobID, Queue: f.h.queue, Attempt: run.attempt, Sequence: run.sequence}
	if err := readHeaders(&job, run.message.headers); err != nil {
		return job, err
	}
	if isFIFO(f.h.queue) && run.group == "" {
		return job, finalError{fmt.Errorf("queue %q: the job was pushed without a group, which only this package gives it", f.h.queue)}
	}
	return job, nil
}

func (f *fetcher) contextOf(run *jobRun, job Job) context.Context {
	ctx := context.WithValue(run.ctx, jobKey{}, job)
	ctx = context.WithValue(ctx, progressKey{}, progressFunc(reporter{f, run, job}.progress))
	ctx = WithUserID(ctx, job.UserID)
	return WithRequestID(ctx, run.message.headers[headerRequest])
}

func (f *fetcher) logOf(job Job) *slog.Logger {
	args := make([]any, 0, 8)
	args = append(args, "job", job.ID, "attempt", job.Attempt)
	if job.Group != "" {
		args = append(args, "group", job.Group)
	}
	if job.UserID != "" {
		args = append(args, "user", job.UserID)
	}
	return f.log.With(args...)
}

// report logs what became of a run.
func report(log *slog.Logger, o outcome, took time.Duration) {
	switch o.kind {
	case succeeded:
		log.Info("job finished", "duration", took)
	case requeued:
		log.Warn("job given back", "duration", took, "error", o.err)
	case archived:
		log.Error("job failed and is given up", "duration", took, "error", o.err)
	default:
		log.Warn("job failed", "duration", took, "error", o.err)
	}
}
