package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// Kind is how a message was sent.
type Kind int

// Kinds of messages.
const (
	// None is the kind of a reply that holds no answer.
	None Kind = iota
	// JSON is any value; Message.Data is its JSON.
	JSON
	// Text is a string; Message.Data is the string itself.
	Text
	// Binary is bytes.
	Binary
)

// Message is what the server sent: a message, or the reply to a request.
type Message struct {
	// Channel is what the message was sent to: "" the user, "*" everybody,
	// "#room" the topic "room".
	Channel string
	// Position is where in the channel a client is that has handled the message.
	// It is empty when the server keeps no record of it: such a message is not
	// sent again.
	Position string
	// Kind tells how to read Data.
	Kind Kind
	// Data is the payload. It belongs to whoever gets the message.
	Data []byte
}

// Decode reads a JSON or Text message as JSON into v, a pointer. It fails with
// ErrBadMessage on a binary message, on invalid JSON, on a value that does not
// fit v, and on anything that follows the first JSON value.
func (m Message) Decode(v any) error {
	if m.Kind == Binary || m.Kind == None {
		return fmt.Errorf("%w: expected JSON, got a binary message or none", ErrBadMessage)
	}
	d := json.NewDecoder(bytes.NewReader(m.Data))
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrBadMessage, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: more than one JSON value", ErrBadMessage)
	}
	return nil
}

// String returns the payload as a string.
func (m Message) String() string { return string(m.Data) }
