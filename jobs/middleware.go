package jobs

import "context"

// Middleware wraps the running of jobs: it is given what to do next and returns
// what to do instead, which usually calls next. FromContext tells it the job,
// and the error of next is the handler's. It is applied once for each handler,
// when the worker starts.
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

// with returns the handler with its middleware, and the given outside of it,
// ready to run.
func (h Handler) with(outer []Middleware) Handler {
	next := func(ctx context.Context) (err error) {
		c, _ := ctx.Value(callKey{}).(*call)
		c.result, err = h.handle(ctx, c.payload)
		return err
	}
	for i := len(h.middleware) - 1; i >= 0; i-- {
		next = h.middleware[i](next)
	}
	for i := len(outer) - 1; i >= 0; i-- {
		next = outer[i](next)
	}
	h.wrapped = next
	return h
}

// callWrapped calls the handler through its middleware.
func (h Handler) callWrapped(ctx context.Context, payload []byte) ([]byte, error) {
	c := &call{payload: payload}
	err := h.wrapped(context.WithValue(ctx, callKey{}, c))
	return c.result, err
}
