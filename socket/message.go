package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
)

// Message is one message that a client sent. A handler finds it in its
// arguments or, behind an adapter, with FromContext.
type Message struct {
	// Connection is the id of the connection it came on, unique among all
	// connections of all servers.
	Connection string
	// RequestID names this message in logs, and in the jobs that its handler
	// pushes.
	RequestID string
	// User is who the connection belongs to: nil until it is authenticated, and
	// Anonymous when it was accepted without a user.
	User *User
	// Data is the frame's payload, at most Server.MaxMessage bytes.
	Data []byte

	binary bool
	answer *answer // nil unless the client made a request
}

// Decode reads the message as JSON into v, a pointer. It fails on a binary
// frame, on invalid JSON, on a value that does not fit v, and on anything that
// follows the first JSON value.
func (m *Message) Decode(v any) error {
	if m.binary {
		return fmt.Errorf("%w: expected JSON in a text frame, got a binary frame", ErrBadMessage)
	}
	d := json.NewDecoder(bytes.NewReader(m.Data))
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrBadMessage, explainJSON(err))
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: more data after the JSON value", ErrBadMessage)
	}
	return nil
}

type messageKey struct{}

// FromContext returns the message that the calling handler was given. The
// second result is false outside Authenticate and OnMessage.
func FromContext(ctx context.Context) (*Message, bool) {
	m, ok := ctx.Value(messageKey{}).(*Message)
	return m, ok
}
