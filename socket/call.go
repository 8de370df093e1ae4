package socket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
)

// errPanic is what a client is told of a panic: no more than that.
var errPanic = errors.New("internal error")

// call runs a handler with the hub's time-out and makes an error of a panic. It
// returns when the handler has returned. When the handler did not return in
// time, tell, if there is one, is called with an ErrTimeout at that moment, and
// call returns that error whatever the handler did afterwards.
func (h *hub) call(ctx context.Context, handle func(context.Context) error, tell func(error)) (err error) {
	timedOut := fmt.Errorf("%w after %v", ErrTimeout, h.handlers.timeout())
	ctx, cancel := context.WithTimeoutCause(ctx, h.handlers.timeout(), timedOut)
	defer cancel()
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(told)
		if tell != nil && errors.Is(context.Cause(ctx), ErrTimeout) {
			tell(timedOut)
		}
	})
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("socket: handler panicked", "panic", v, "stack", string(debug.Stack()))
			err = errPanic
		}
		// A handler that waits for its context may return before tell is called.
		over := errors.Is(context.Cause(ctx), ErrTimeout)
		if !stop() {
			<-told
			over = errors.Is(context.Cause(ctx), ErrTimeout)
		}
		if over {
			err = timedOut
		}
	}()
	if err = handle(ctx); err != nil {
		_ = err.Error() // that of a nil pointer panics, and here it does no harm
	}
	return err
}

// noReason is what a client is told of an error that has no text: an empty one
// would mean that there was none.
const noReason = "unspecified error"

// reasonFor is what a client is told of an error. It is never empty.
func reasonFor(err error) string {
	reason := err.Error()
	var rejection *Rejection
	if errors.As(err, &rejection) {
		reason = cmp.Or(rejection.Reason, http.StatusText(rejection.Status))
	}
	return cmp.Or(reason, noReason)
}
