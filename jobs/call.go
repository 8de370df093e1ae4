package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/queuerun/queuerun/jobs/guard"
)

// Call runs the handler for a job with the given payload, as a worker would,
// with its time-out and its own middleware, but without a queue: for tests. It
// returns the result of a handler made with HandleResult, and the handler's
// error; a panic is one too, and so is an error whose own methods panic, in the
// words of a worker. Progress inside of it is accepted and dropped.
func (h Handler) Call(ctx context.Context, job Job, payload any) (result []byte, err error) {
	if err := checkHandlers([]Handler{h}); err != nil {
		return nil, err
	}
	data, err := encode(payload)
	if err != nil {
		return nil, fmt.Errorf("call the handler of queue %q: encode the payload: %w", h.queue, err)
	}
	if h, err = h.with(nil); err != nil {
		return nil, err
	}
	if job.Queue = h.queue; job.Attempt == 0 {
		job.Attempt = 1
	}
	if job.UserID == "" {
		job.UserID = UserID(ctx)
	}
	ctx = WithUserID(context.WithValue(ctx, jobKey{}, job), job.UserID)
	ctx = context.WithValue(ctx, progressKey{}, progressFunc(func(context.Context, []byte) error { return nil }))
	err = errEndedGoroutine
	var cause error
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, cause, err = h.call(ctx, slog.New(slog.DiscardHandler), data)
	}()
	<-done
	return h.called(result, cause, err)
}

// called is what Call returns: the handler's own error where a caller can do
// anything with it and there is nothing to add.
func (h Handler) called(result []byte, cause, err error) ([]byte, error) {
	f := failureOf(err, cause, h.timeout)
	switch {
	case f == nil:
		return result, nil
	case cause == nil && !f.unread:
		return nil, err
	}
	e := callError{failed: f}
	for _, each := range []error{cause, err} {
		if each != nil {
			e.errs = append(e.errs, each)
		}
	}
	return nil, e
}

// errEndedGoroutine is what becomes of a handler that calls runtime.Goexit, as
// a test's FailNow does.
var errEndedGoroutine = errors.New("the handler ended its goroutine instead of returning")

// call runs the handler within its time-out and returns when it has, with why
// its context was cancelled if it was. Only failureOf may touch the error.
func (h Handler) call(ctx context.Context, log *slog.Logger, payload []byte) (result []byte, cause, err error) {
	ctx, release := context.WithTimeoutCause(ctx, h.timeout, ErrTimeout)
	defer release()
	ctx, returned := h.watch(ctx, log)
	defer returned()
	result, err = h.callSafely(ctx, log, payload)
	return result, context.Cause(ctx), err
}

// callSafely makes an error of a panic.
func (h Handler) callSafely(ctx context.Context, log *slog.Logger, payload []byte) (result []byte, err error) {
	var panicked *guard.Panic
	if errors.As(guard.Recover(func() { result, err = h.callWrapped(ctx, payload) }), &panicked) {
		job, _ := FromContext(ctx)
		text := cut(panicked.Text, maxError)
		log.Error("handler panicked", "job", job.ID, "panic", text, "stack", panicked.Stack)
		return nil, errors.New("the handler panicked: " + text)
	}
	return result, err
}
