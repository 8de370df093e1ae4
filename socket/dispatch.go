package socket

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

// dispatch is one Send on its way: a message and the channels that it is for.
type dispatch struct {
	ctx       context.Context
	stored    string // the message, as no other send has it
	key       string // of Latest
	ephemeral bool
	keep      int // messages
	age       time.Duration
	targets   []target
	single    [1]target // most have one

	turn chan lead // receives the lead at most once, and is closed when the dispatch has ended
	over bool      // it has ended; for who has the lead
	err  error     // how it ended
}

// target is one channel of a dispatch.
type target struct {
	*dispatch
	channel channel
	state   string // key of the channel's state
	at      position
	servers []string // that hold connections of the channel

	appended bool // the message has a position
	unsure   bool // an attempt may have been carried out
	failed   error
}

// position is where a message stands in its channel. The zero value is that of a
// message which is in no log.
type position struct {
	seq      uint64
	previous uint64 // sequence of the message before
	logged   uint64 // sequence of the newest one before that is in the log
}

func (s *Sender) newDispatch(ctx context.Context, channels []channel, r record, o sendOptions) *dispatch {
	keep, age := s.retention(o)
	d := &dispatch{
		ctx: ctx, stored: r.stored(s.nonce()), key: r.key, ephemeral: o.ephemeral, keep: keep, age: age,
		turn: make(chan lead, 1),
	}
	d.targets = d.single[:]
	if len(channels) > 1 {
		d.targets = make([]target, len(channels))
	}
	k := s.keys()
	for i, ch := range channels {
		d.targets[i] = target{dispatch: d, channel: ch, state: k.state(ch)}
	}
	return d
}

// pending tells whether a target waits for its position.
func (t *target) pending() bool { return !t.appended && t.failed == nil }

// fail ends a target.
func (t *target) fail(err error) {
	if t.unsure {
		err = fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	t.failed = fmt.Errorf("append to the log of %s: %w", t.channel, redisstep.Explain(err))
}

// end tells the one who waits how the dispatch went.
func (d *dispatch) end(notified error) {
	possible := 0
	var failed error
	for i := range d.targets {
		t := &d.targets[i]
		if t.failed != nil {
			failed = t.failed // one of them says enough
		}
		if t.failed == nil || t.unsure {
			possible++
		}
	}
	switch err := errors.Join(failed, notified); {
	case err == nil:
	case len(d.targets) == 1:
		d.err = fmt.Errorf("socket: send: %w", err)
	default:
		d.err = fmt.Errorf("socket: send: %d of %d recipients may have the message: %w", possible, len(d.targets), err)
	}
	d.over = true
	close(d.turn)
}
