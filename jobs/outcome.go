package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	kind   kind
	err    error // why it did not succeed
	wait   time.Duration
	result []byte
}

// decide says what becomes of a job whose handler has returned.
func (h Handler) decide(job *jobRun, result []byte, err error) outcome {
	cause := context.Cause(job.ctx)
	again := retryError{}
	switch {
	case err == nil:
		return outcome{kind: succeeded, result: result}
	case errors.Is(cause, ErrCancelled):
		return cancelled(err)
	case errors.Is(cause, ErrStopping), errors.Is(cause, ErrLeaseLost):
		return outcome{kind: requeued, err: err}
	case errors.As(err, new(finalError)), job.message.retried >= job.retries:
		return outcome{kind: archived, err: err}
	case errors.As(err, &again):
		return outcome{kind: retried, err: err, wait: h.bound(again.wait)}
	default:
		return outcome{kind: retried, err: err, wait: h.wait(job.message.retried + 1)}
	}
}

// cancelled is how a run of a cancelled job ends that did not succeed.
func cancelled(err error) outcome {
	if !errors.Is(err, ErrCancelled) {
		err = fmt.Errorf("%w: %w", ErrCancelled, err)
	}
	return outcome{kind: archived, err: err}
}

// charged tells whether the run counts in the figures and against the retries.
func (o outcome) charged() bool { return o.kind != requeued && !errors.Is(o.err, ErrCancelled) }

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

// validText makes of an error what asynq's encoding can hold.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
