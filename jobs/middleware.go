package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/queuerun/queuerun/jobs/guard"
)

// Middleware wraps the running of jobs: it is given what to do next and returns
// what to do instead, which usually calls next. FromContext tells it the job,
// and the error of next is the handler's. The context that next is called with
// has to be the one that was given, or derived from it. It is applied once for
// each handler, when the worker starts; if it panics then, or returns nil, the
// worker does not start.
type Middleware func(next func(ctx context.Context) error) func(ctx context.Context) error

// Use puts middleware around a handler, the first one outermost.
func Use(middleware ...Middleware) HandlerOption {
	return func(h *Handler) { h.middleware = append(h.middleware, middleware...) }
}

type callKey struct{}

// call is a handler's payload on its way through the middleware, and its result
// on the way back.
type call struct {
	payload []byte
	result  []byte
}

// errForeignContext is what next returns without the context that it needs.
var errForeignContext = errors.New("its middleware called next with a context that is not derived from the one it was given")

// with returns the handler with its middleware, and the given outside of it,
// ready to run.
func (h Handler) with(outer []Middleware) (Handler, error) {
	next, err := wrap(h.last, h.middleware)
	if err == nil {
		next, err = wrap(next, outer)
	}
	if err != nil {
		return h, fmt.Errorf("handler of queue %q: %w", h.queue, err)
	}
	h.wrapped, h.seats = next, newSeats(h.queue)
	return h, nil
}

// last is what the innermost middleware calls.
func (h Handler) last(ctx context.Context) (err error) {
	if ctx == nil {
		return fmt.Errorf("queue %q: %w: it is nil", h.queue, errForeignContext)
	}
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		return fmt.Errorf("queue %q: %w", h.queue, errForeignContext)
	}
	c.result, err = h.handle(ctx, c.payload)
	return err
}

// wrap puts middleware around next, the first one outermost.
func wrap(next func(context.Context) error, middleware []Middleware) (func(context.Context) error, error) {
	for i := len(middleware) - 1; i >= 0; i-- {
		m, inner := middleware[i], next
		if m == nil {
			return nil, fmt.Errorf("middleware %d is nil", i+1)
		}
		if err := guard.Call(func() { next = m(inner) }); err != nil {
			return nil, fmt.Errorf("middleware %d %w", i+1, err)
		}
		if next == nil {
			return nil, fmt.Errorf("middleware %d returned nil", i+1)
		}
	}
	return next, nil
}

// callWrapped calls the handler through its middleware.
func (h Handler) callWrapped(ctx context.Context, payload []byte) ([]byte, error) {
	c := &call{payload: payload}
	err := h.wrapped(context.WithValue(ctx, callKey{}, c))
	return c.result, err
}
