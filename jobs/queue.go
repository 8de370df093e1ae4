package jobs

import (
	"context"
	"fmt"
	"strings"
)

const fifoSuffix = ".fifo"

// Queue names a kind of work and the type of its payload. It is declared once,
// usually in a package variable, and shared by whoever pushes and whoever
// handles. It holds no connection; the context of a push carries the client.
//
// A payload of type string travels as text, a []byte as it is, and any other
// type as JSON. Stored, it has at most 16 MiB: what is larger has a better place
// elsewhere, and its name in the payload.
//
// Handlers get a payload as encoding/json decodes it, with one exception: of the
// numbers in an any, such as a value of a map[string]any, which are float64s, an
// integer beyond 2^53 is a json.Number, since a float64 would change its last
// digits. A field with a type of its own, such as int64, is better still.
type Queue[T any] struct{ name string }

// NewQueue returns the queue with the given name: 1 to 80 letters, digits and
// the characters . _ -, but neither . nor .. alone. A name ending in ".fifo" makes
// a FIFO queue. Another name panics, as a bad pattern does in regexp.MustCompile.
func NewQueue[T any](name string) *Queue[T] {
	if err := checkName(name); err != nil {
		panic("jobs.NewQueue: " + err.Error())
	}
	return &Queue[T]{name}
}

// Name returns the name given to NewQueue.
func (q *Queue[T]) Name() string { return q.name }

// Decode reads a stored payload, such as that of an Info, as handlers get it.
// Its error names the queue, and the field where the payload does not fit.
func (q *Queue[T]) Decode(payload []byte) (T, error) { return decodeSafely[T](q.name, payload) }

// Push puts a job in the queue and returns its id. The job belongs to the user
// and the request of ctx, which also carries the client.
//
// An error means that the job is not in the queue, with two exceptions: when
// Redis did not answer in time it may be there, and ErrDuplicate says that one
// with this id is. A FIFO queue needs Group, without which Push returns
// ErrNoGroup. A payload of more than 16 MiB is refused, and so are a user's and a
// request's id of more than 1 KiB. A MarshalJSON that panics makes an error.
func (q *Queue[T]) Push(ctx context.Context, payload T, options ...PushOption) (id string, err error) {
	ids, err := q.push(ctx, target{}, []T{payload}, options)
	return first(ids), err
}

// PushMany pushes the payloads in order, with the same options for all, and
// returns their ids in the same order. It takes them to Redis by the hundred.
// All are checked before the first is pushed. When Redis fails in the middle it
// returns the ids of those that were pushed, with the error.
func (q *Queue[T]) PushMany(ctx context.Context, payloads []T, options ...PushOption) ([]string, error) {
	return q.push(ctx, target{}, payloads, options)
}

// Group returns the group of a FIFO queue with the given id, which may be any
// text of 1 byte to 1 KiB: a user, an order, an account. Jobs of a group run
// one at a time in the order in which they were pushed.
func (q *Queue[T]) Group(id string) Group[T] {
	return Group[T]{queue: q, to: target{group: id, grouped: true}}
}

// Handle returns the Handler that runs handle for each job of the queue. Wrong
// options are reported by Worker.Run.
//
// The job is done when handle returns nil. An error, a panic or a time-out is a
// failure, after which it is tried again as the options say. A job may be
// handled more than once even if it succeeded: when the worker dies, or loses
// Redis, between the success and its commit.
func (q *Queue[T]) Handle(handle func(ctx context.Context, payload T) error, options ...HandlerOption) Handler {
	h := newHandler(q.name, options)
	if handle == nil {
		h.err = fmt.Errorf("the handler is nil")
	}
	h.handle = func(ctx context.Context, data []byte) ([]byte, error) {
		payload, err := decode[T](q.name, data)
		if err != nil {
			return nil, finalError{err}
		}
		return nil, handle(ctx, payload)
	}
	return h
}

func isFIFO(queue string) bool { return strings.HasSuffix(queue, fifoSuffix) }

// checkName keeps names readable in URLs, Redis keys and command lines alike.
func checkName(name string) error {
	switch {
	case name == "" || name == fifoSuffix:
		return fmt.Errorf("the queue's name %q is empty", name)
	case name == "." || name == "..":
		return fmt.Errorf("the queue's name %q means another thing in a path", name)
	case len(name) > 80:
		return fmt.Errorf("the queue's name %q is longer than 80 characters", name)
	}
	for _, r := range name {
		if !isNameRune(r) {
			return fmt.Errorf("the queue's name %q contains %q: only letters, digits and . _ - are allowed", name, r)
		}
	}
	return nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
}

func first(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}
