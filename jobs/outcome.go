package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// kind is what becomes of a job after a run.
type kind string

const (
	succeeded kind = "done"
	retried   kind = "retry"
	archived  kind = "archive"
	requeued  kind = "requeue" // nothing is charged
)

// outcome is how a run ended.
type outcome struct {
	kind      kind
	err       error // why it did not succeed: one of this package, never a handler's
	cancelled bool  // because the job was, or because its error says so
	wait      time.Duration
	result    []byte
}

// decide says what becomes of a job whose handler has returned.
func (h Handler) decide(log *slog.Logger, job *jobRun, result []byte, f *failed) outcome {
	if f == nil {
		return outcome{kind: succeeded, result: result}
	}
	cause := context.Cause(job.ctx)
	o := outcome{kind: retried, err: f, cancelled: f.cancelled}
	switch {
	case errors.Is(cause, ErrCancelled):
		return o.ofCancelled()
	case errors.Is(cause, ErrStopping), errors.Is(cause, ErrLeaseLost):
		o.kind = requeued
	case f.final, job.message.retried >= job.retries:
		o.kind = archived
	case f.again:
		o.wait = h.bound(f.wait)
	default:
		o.wait = h.wait(job.message.retried+1, log)
	}
	return o
}

// ofCancelled is how the run ends when the job was cancelled.
func (o outcome) ofCancelled() outcome {
	if !o.cancelled {
		o.err = fmt.Errorf("%w: %w", ErrCancelled, o.err)
	}
	return outcome{kind: archived, err: o.err, cancelled: true}
}

// charged tells whether the run counts in the figures and against the retries.
func (o outcome) charged() bool { return o.kind != requeued && !o.cancelled }

// message is what is stored of the job afterwards; for one that succeeded, what
// is added to it.
func (o outcome) message(job *jobRun) []byte {
	switch o.kind {
	case succeeded:
		return fields{numberField(fieldCompletedAt, time.Now().Unix())}.append(nil)
	case retried:
		return job.message.failed(o.err, job.message.retried+1, job.retries)
	case archived:
		return job.message.failed(o.err, job.message.retried, job.retries)
	default:
		return job.message.raw
	}
}
