package socket

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Defaults of a Sender's retention.
const (
	DefaultRetainMessages = 256
	DefaultRetainFor      = 5 * time.Minute
)

// Sender sends messages to users. Contexts of handlers carry one; a program
// that has none makes it with NewSender. Set the fields before the first use.
type Sender struct {
	// Prefix keeps applications on one Redis apart. All parts of an application
	// must have the same.
	Prefix string
	// RetainMessages and RetainFor bound the log of each user, of each topic and
	// of the broadcast: how many messages, and for how long after the last one.
	// Servers fill gaps from it and clients resume from it. 0 means
	// DefaultRetainMessages and DefaultRetainFor, and so does what is negative. Other
	// values must be such as Retain takes, or every send returns ErrOption. The option
	// Retain is for one message.
	RetainMessages int
	RetainFor      time.Duration

	redis redis.UniversalClient
	name  string        // makes nonces of different senders different
	count atomic.Uint64 // makes nonces of this sender different

	mu      sync.Mutex
	waiting []*dispatch // for a trip
	leads   int         // how many make trips
	flying  int         // sends that are on their first trip
}

// NewSender returns a Sender that sends through rdb, whose owner goes on to be
// the caller.
func NewSender(rdb redis.UniversalClient) *Sender {
	return &Sender{redis: rdb, name: rand.Text()[:12]}
}

type senderKey struct{}

// Context returns a context with which Send, To, IsOnline and Close work
// outside handlers.
func (s *Sender) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, senderKey{}, s)
}

func senderFrom(ctx context.Context) (*Sender, error) {
	s, _ := ctx.Value(senderKey{}).(*Sender)
	if s == nil {
		return nil, ErrNoSender
	}
	return s, nil
}

func (s *Sender) keys() keyspace { return newKeyspace(s.Prefix) }

// nonce names one send, so that a repeat of it can be told from another send.
func (s *Sender) nonce() string {
	return s.name + strconv.FormatUint(s.count.Add(1), 36)
}

// check refuses what a log cannot keep.
func (s *Sender) check() error {
	if n := s.RetainMessages; n > maxRetainMessages {
		return fmt.Errorf("%w: Sender.RetainMessages is %d, want at most %d", ErrOption, n, maxRetainMessages)
	}
	if d := s.RetainFor; d > 0 && d < time.Millisecond || d > maxRetainFor {
		return fmt.Errorf("%w: Sender.RetainFor is %v, want a millisecond to %v", ErrOption, d, maxRetainFor)
	}
	return nil
}

// retention is what the log keeps after a message: how many, and how long.
func (s *Sender) retention(o sendOptions) (messages int, age time.Duration) {
	messages, age = s.RetainMessages, s.RetainFor
	if o.retain {
		messages, age = o.messages, o.age
	}
	if messages <= 0 {
		messages = DefaultRetainMessages
	}
	if age <= 0 {
		age = DefaultRetainFor
	}
	return messages, age
}
