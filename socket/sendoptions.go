package socket

import (
	"fmt"
	"time"
)

// SendOption changes how one message is sent.
type SendOption func(*sendOptions)

type sendOptions struct {
	retain    bool
	messages  int
	age       time.Duration
	ephemeral bool
	key       string
	fallback  *fallback
	err       error
}

// Retain has the log keep this message among the newest n, at least 1, for d, at
// least a millisecond, after it was sent, in place of the Sender's RetainMessages
// and RetainFor. A log keeps as much as the most demanding of its messages asks
// for, until it has expired.
func Retain(n int, d time.Duration) SendOption {
	return func(o *sendOptions) {
		o.retain, o.messages, o.age = true, n, d
		if n < 1 || d < time.Millisecond {
			o.err = fmt.Errorf("socket: Retain(%d, %v): want at least one message and a millisecond", n, d)
		}
	}
}

// Ephemeral sends a message that no log keeps, such as a cursor's position: who
// is connected now receives it, unless a server fails in this moment, and nobody
// later. It costs less than others.
func Ephemeral() SendOption {
	return func(o *sendOptions) { o.ephemeral = true }
}

// Latest sends a message that takes the place of the one before with the same
// key, such as a score: a client that was away receives only the newest. The
// others are in its order as ever. The key must not be empty; a channel keeps as
// many of them as its log keeps messages.
func Latest(key string) SendOption {
	return func(o *sendOptions) {
		o.key = key
		if key == "" {
			o.err = fmt.Errorf("socket: Latest: the key is empty")
		}
	}
}

func applySendOptions(opts []SendOption) (sendOptions, error) {
	var o sendOptions
	for _, opt := range opts {
		opt(&o)
	}
	return o, o.err
}
