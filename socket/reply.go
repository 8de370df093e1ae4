package socket

import (
	"context"
	"errors"
	"sync"
)

// ErrReplied: a request is answered once.
var ErrReplied = errors.New("socket: the request has been answered")

// answer is what a client that made a request is owed.
type answer struct {
	id uint64

	mu   sync.Mutex
	sent bool
}

// take gives the right to answer to the first who asks.
func (a *answer) take() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := !a.sent
	a.sent = true
	return first
}

// Reply answers the message whose handler is running: a client that made a
// request gets v as its result, and a client that did not gets v as a message;
// in both cases on this connection only. A second Reply to a request returns
// ErrReplied, and so does one after the handler's time-out, or after the handler
// has returned. Where no message is handled it returns ErrNobody, and ErrClosed
// when the connection is gone. A request whose handler returns without a Reply is
// answered with nothing, or with the handler's error.
//
// A reply is in order with what is sent to this connection alone. It does not go
// through Redis, and so may overtake what was sent to the user before.
func Reply[T any](ctx context.Context, v T) error {
	f, err := encode(v)
	if err != nil {
		return err
	}
	c := connectionFrom(ctx)
	m, ok := FromContext(ctx)
	if c == nil || !ok {
		return ErrNobody
	}
	if m.answer == nil {
		return c.send(f)
	}
	if !m.answer.take() {
		return ErrReplied
	}
	return c.sendWrapped(envelope{id: m.answer.id}, f)
}

// Answer makes a handler of messages from a function that takes the decoded
// value and returns what Reply is given. A message that is not JSON for a T is
// answered with an error that wraps ErrBadMessage.
func Answer[T, R any](handle func(context.Context, T) (R, error)) func(context.Context, *Message) error {
	return func(ctx context.Context, m *Message) error {
		var v T
		if err := m.Decode(&v); err != nil {
			return err
		}
		result, err := handle(ctx, v)
		if err != nil {
			return err
		}
		return Reply(ctx, result)
	}
}
