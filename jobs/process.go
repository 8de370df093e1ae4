package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hibiken/asynq"
)

// process runs the handler for one job. Asynq calls it and deals with the
// error.
func (s *server) process(ctx context.Context, task *asynq.Task) error {
	id, _ := asynq.GetTaskID(ctx)
	run := s.store.runs.get(id)
	if run == nil {
		// The scripts were not recognised; see shape.go.
		return fmt.Errorf("queue %q: job %q was not started by this worker", s.h.queue, id)
	}
	s.run.running.Add(1)
	defer s.run.running.Add(-1)
	began := time.Now()
	job, err := s.describe(id, run, task)
	if err == nil {
		err = s.call(contextOf(ctx, job, task), run, task.Payload())
	}
	s.report(ctx, job, run, time.Since(began), err)
	run.returnedAt = time.Now()
	close(run.returned)
	return err
}

// describe makes the Job that the handler sees, even when it returns an error.
func (s *server) describe(id string, run *jobRun, task *asynq.Task) (Job, error) {
	job := Job{ID: id, Queue: s.h.queue, Attempt: run.attempt, Sequence: run.sequence}
	if err := readHeaders(&job, task.Headers()); err != nil {
		return job, err
	}
	if isFIFO(s.h.queue) && !run.grouped {
		return job, finalError{fmt.Errorf("queue %q: the job was pushed without a group, which only this package gives it", s.h.queue)}
	}
	return job, nil
}

func contextOf(ctx context.Context, job Job, task *asynq.Task) context.Context {
	ctx = context.WithValue(ctx, jobKey{}, job)
	ctx = WithUserID(ctx, job.UserID)
	return WithRequestID(ctx, task.Headers()[headerRequest])
}

// call runs the handler within its time-out and returns when it has.
func (s *server) call(ctx context.Context, run *jobRun, data []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.run.phase.cancelled, func() { cancel(ErrStopping) })()
	ctx, release := context.WithTimeoutCause(ctx, s.h.timeout, ErrTimeout)
	defer release()

	err := s.callSafely(ctx, data)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrStopping) && err != nil:
		run.giveBack = true
		return fmt.Errorf("%w: %w", ErrStopping, err)
	case errors.Is(cause, ErrTimeout) && err != nil:
		return fmt.Errorf("%w (%v): %w", ErrTimeout, s.h.timeout, err)
	case errors.Is(cause, ErrTimeout):
		return fmt.Errorf("%w (%v): the handler returned later", ErrTimeout, s.h.timeout)
	}
	return err
}

// callSafely makes an error of a panic.
func (s *server) callSafely(ctx context.Context, data []byte) (err error) {
	defer func() {
		if x := recover(); x != nil {
			job, _ := FromContext(ctx)
			s.log.Error("handler panicked", "job", job.ID, "panic", x, "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", x)
		}
	}()
	return s.h.call(ctx, data)
}

// report logs what became of a run.
func (s *server) report(ctx context.Context, job Job, run *jobRun, took time.Duration, err error) {
	log := s.log.With("job", job.ID, "attempt", job.Attempt, "duration", took)
	if job.Group != "" {
		log = log.With("group", job.Group)
	}
	if job.UserID != "" {
		log = log.With("user", job.UserID)
	}
	failed, _ := asynq.GetRetryCount(ctx)
	retries, _ := asynq.GetMaxRetry(ctx)
	switch {
	case err == nil:
		log.Info("job finished")
	case run.giveBack:
		log.Warn("job given back", "error", err)
	case failed >= retries || errors.Is(err, asynq.SkipRetry):
		log.Error("job failed and is given up", "error", err)
	default:
		log.Warn("job failed", "error", err)
	}
}
