package socket

import (
	"errors"
	"fmt"
	"time"
)

// ErrOption: an option of a send has a wrong value, or does not go with another
// one. Nothing was sent.
var ErrOption = errors.New("socket: wrong option of a send")

// SendOption changes how one message is sent.
type SendOption func(*sendOptions)

type sendOptions struct {
	retain    bool
	messages  int
	age       time.Duration
	ephemeral bool
	latest    bool
	key       string
	fallback  *fallback
	err       error
}

// What may be asked of a log. Its times are kept in 16 digits of microseconds.
const (
	maxRetainMessages = 100_000
	maxRetainFor      = 100 * 365 * 24 * time.Hour
	maxLatestKey      = 256 // bytes
)

// Retain has the log keep this message among the newest n, from 1 to 100,000, for d,
// from a millisecond to 100 years of 365 days, after it was sent, in place of the Sender's RetainMessages
// and RetainFor. A log keeps as much as the most demanding of its messages asks
// for, until it has expired.
func Retain(n int, d time.Duration) SendOption {
	return func(o *sendOptions) {
		o.retain, o.messages, o.age = true, n, d
		if n < 1 || n > maxRetainMessages || d < time.Millisecond || d > maxRetainFor {
			o.fail(fmt.Errorf("%w: Retain(%d, %v): want 1 to %d messages, and a millisecond to %v", ErrOption, n, d, maxRetainMessages, maxRetainFor))
		}
	}
}

// Ephemeral sends a message that no log keeps, such as a cursor's position: who
// is connected now receives it, unless a server fails in this moment, and nobody
// later. When the connection to Redis breaks in the middle it may be received twice.
// It costs less than others.
func Ephemeral() SendOption {
	return func(o *sendOptions) { o.ephemeral = true }
}

// Latest sends a message that takes the place of the one before with the same
// key, such as a score: a client that was away, or that reads slowly, receives
// only the newest. Those it receives are in order as ever. The key must have 1 to 256
// bytes; a channel keeps as many of them as its log keeps messages, and for a moment
// some more.
func Latest(key string) SendOption {
	return func(o *sendOptions) {
		o.latest, o.key = true, key
		if key == "" {
			o.fail(fmt.Errorf("%w: Latest(%q): the key is empty", ErrOption, key))
		}
		if len(key) > maxLatestKey {
			o.fail(fmt.Errorf("%w: Latest: a key of %d bytes, want at most %d", ErrOption, len(key), maxLatestKey))
		}
	}
}

func (o *sendOptions) fail(err error) { o.err = errors.Join(o.err, err) }

func applySendOptions(opts []SendOption) (sendOptions, error) {
	if len(opts) == 0 {
		return sendOptions{}, nil // and no allocation
	}
	return applyEach(opts)
}

func applyEach(opts []SendOption) (sendOptions, error) {
	var o sendOptions
	for _, opt := range opts {
		opt(&o)
	}
	switch {
	case o.ephemeral && o.retain:
		o.fail(fmt.Errorf("%w: Ephemeral with Retain: no log keeps the message", ErrOption))
	case o.ephemeral && o.latest:
		o.fail(fmt.Errorf("%w: Ephemeral with Latest(%q): nothing keeps the message", ErrOption, o.key))
	case o.fallback != nil && o.latest:
		o.fail(fmt.Errorf("%w: with Latest(%q) a newer message may take this one's place", ErrElse, o.key))
	}
	return o, o.err
}
