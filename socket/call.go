package socket

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs/guard"
)

// errPanic is what a client is told of a panic, and of runtime.Goexit: no more than
// that.
var errPanic = errors.New("internal error")

// call runs a handler with the hub's time-out and makes an error of a panic, and of
// the end of its goroutine. It returns when the handler has returned. When the handler
// did not return in time, tell, if there is one, is called with an ErrTimeout at that
// moment, and call returns that error whatever the handler did afterwards.
//
// Any other error is a judged, or an errPanic.
func (h *hub) call(ctx context.Context, handle func(context.Context) error, tell func(error)) error {
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
	err := h.guard(func() error { return judge(handle(ctx)) })
	// A handler that waits for its context may return before tell is called.
	over := errors.Is(context.Cause(ctx), ErrTimeout)
	if !stop() {
		<-told
		over = errors.Is(context.Cause(ctx), ErrTimeout)
	}
	if over {
		return timedOut
	}
	return err
}

// guard runs what is not this package's own.
func (h *hub) guard(do func() error) (err error) {
	broken := guard.Call(func() { err = do() })
	if broken == nil {
		return err
	}
	args := []any{"why", broken}
	var p *guard.Panic
	if errors.As(broken, &p) {
		args = append(args, "stack", p.Stack)
	}
	h.log.Error("socket: handler did not return", args...)
	return errPanic
}

// judged is what is to be known of an error of a handler, whose own methods may
// panic: after it was made nobody calls these.
type judged struct {
	text   string // for the log
	reason string // for the client
	status int    // of a Rejection, or 0
	passes bool   // it is no refusal
}

func (v *judged) Error() string { return v.text }

// judge reads all that is to be known of an error of a handler.
func judge(err error) error {
	if err == nil {
		return nil
	}
	v := &judged{text: shorten(err.Error(), maxLogged), reason: reasonFor(err), passes: !refuses(err)}
	var rejection *Rejection
	if errors.As(err, &rejection) {
		v.status = rejection.Status
	}
	return v
}

const (
	// maxReason is how many bytes of an error's text a client is told.
	maxReason = 1 << 10
	// maxLogged is how many bytes of an error's text are logged.
	maxLogged = 4 << 10
)

// noReason is what a client is told of an error that has no text: an empty one
// would mean that there was none.
const noReason = "unspecified error"

// reasonFor is what a client is told of an error. It is never empty, and has at most
// maxReason bytes.
func reasonFor(err error) string {
	var v *judged
	if errors.As(err, &v) {
		return v.reason
	}
	reason := err.Error()
	var rejection *Rejection
	if errors.As(err, &rejection) {
		reason = cmp.Or(rejection.Reason, http.StatusText(rejection.Status))
	}
	return cmp.Or(shorten(reason, maxReason), noReason)
}

// shortened stands for what was cut off.
const shortened = "…"

// shorten cuts a text to so many bytes, between two characters.
func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := limit - len(shortened)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + shortened
}
