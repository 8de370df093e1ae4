package jobs

import (
	"context"
	"fmt"
	"time"
)

// resultKept is how long a result can be read when the push did not say so.
const resultKept = time.Hour

// HandleResult is Queue.Handle for a function that has a result. It is stored
// with the job, a string or []byte as it is and any other type as JSON, and
// Client.Get and Client.Wait return it, for an hour after the job succeeded or
// for as long as Retain says. A result that cannot be encoded, or has more than
// 16 MiB, is a failure of the job that another try does not mend.
func HandleResult[T, R any](q *Queue[T], handle func(ctx context.Context, payload T) (R, error), options ...HandlerOption) Handler {
	h := newHandler(q.name, options)
	h.retain = resultKept
	if handle == nil {
		h.err = fmt.Errorf("the handler is nil")
	}
	h.handle = func(ctx context.Context, data []byte) ([]byte, error) {
		payload, err := decode[T](q.name, data)
		if err != nil {
			return nil, finalError{err}
		}
		result, err := handle(ctx, payload)
		if err != nil {
			return nil, err
		}
		encoded, err := encode(result)
		if err != nil {
			return nil, finalError{fmt.Errorf("queue %q: encode the result: %w", q.name, err)}
		}
		if err := checkSize("result", len(encoded), maxResult); err != nil {
			return nil, finalError{fmt.Errorf("queue %q: %w", q.name, err)}
		}
		return encoded, nil
	}
	return h
}
