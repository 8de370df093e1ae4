package socket

import (
	"context"
	"fmt"
)

// JSON makes a handler of messages from a function that takes the decoded
// value. A message that is not JSON for a T is answered with an error that
// wraps ErrBadMessage and the function is not called.
func JSON[T any](handle func(context.Context, T) error) func(context.Context, *Message) error {
	return func(ctx context.Context, m *Message) error {
		var v T
		if err := m.Decode(&v); err != nil {
			return err
		}
		return handle(ctx, v)
	}
}

// Text makes a handler of messages from a function that takes the text of a
// text frame. A binary frame is answered with an error that wraps ErrBadMessage.
func Text(handle func(context.Context, string) error) func(context.Context, *Message) error {
	return func(ctx context.Context, m *Message) error {
		if m.binary {
			return fmt.Errorf("%w: expected a text frame, got a binary frame", ErrBadMessage)
		}
		return handle(ctx, string(m.Data))
	}
}

// Binary makes a handler of messages from a function that takes the bytes of a
// binary frame. A text frame is answered with an error that wraps ErrBadMessage.
func Binary(handle func(context.Context, []byte) error) func(context.Context, *Message) error {
	return func(ctx context.Context, m *Message) error {
		if !m.binary {
			return fmt.Errorf("%w: expected a binary frame, got a text frame", ErrBadMessage)
		}
		return handle(ctx, m.Data)
	}
}
