package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Call runs the handler for a job with the given payload, as a worker would,
// with its time-out and its own middleware, but without a queue: for tests. It
// returns the result of a handler made with HandleResult, and the handler's
// error; a panic is one too. Progress inside of it is accepted and dropped.
func (h Handler) Call(ctx context.Context, job Job, payload any) (result []byte, err error) {
	if err := checkHandlers([]Handler{h}); err != nil {
		return nil, err
	}
	data, err := encode(payload)
	if err != nil {
		return nil, fmt.Errorf("call the handler of queue %q: encode the payload: %w", h.queue, err)
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
	done := make(chan struct{})
	go func() {
		defer close(done)
		result, err = h.with(nil).call(ctx, slog.New(slog.DiscardHandler), data)
	}()
	<-done
	return result, err
}

// errEndedGoroutine is what becomes of a handler that calls runtime.Goexit, as
// a test's FailNow does.
var errEndedGoroutine = errors.New("the handler ended its goroutine instead of returning")

// call runs the handler within its time-out and returns when it has.
func (h Handler) call(ctx context.Context, log *slog.Logger, payload []byte) ([]byte, error) {
	ctx, release := context.WithTimeoutCause(ctx, h.timeout, ErrTimeout)
	defer release()
	result, err := h.callSafely(ctx, log, payload)
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrTimeout) && err != nil:
		return nil, fmt.Errorf("%w (%v): %w", ErrTimeout, h.timeout, err)
	case errors.Is(cause, ErrTimeout):
		return nil, fmt.Errorf("%w (%v): the handler returned later", ErrTimeout, h.timeout)
	case cause != nil && err != nil && !errors.Is(err, cause):
		return nil, fmt.Errorf("%w: %w", cause, err)
	}
	return result, err
}

// callSafely makes an error of a panic.
func (h Handler) callSafely(ctx context.Context, log *slog.Logger, payload []byte) (result []byte, err error) {
	defer func() {
		if x := recover(); x != nil {
			job, _ := FromContext(ctx)
			log.Error("handler panicked", "job", job.ID, "panic", x, "stack", string(debug.Stack()))
			result, err = nil, fmt.Errorf("the handler panicked: %v", x)
		}
	}()
	return h.callWrapped(ctx, payload)
}
