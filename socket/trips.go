package socket

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

// Sends that overlap share their trips to Redis. One of them has the lead: it
// takes those that wait, as one batch, and makes the trips for all, the second
// trip of a batch together with the first one of the next. So there is one round
// trip for each batch, batches grow as fast as sends come in, and the second
// trips are made in the order of the first ones. When its own message is on its
// way, it passes the lead on.
//
// Where one trip is all there is, a send does not wait for a batch that is on its
// way as long as that is small: it takes a lead of its own.

const (
	// A batch takes about so many bytes of messages and so many channels.
	batchBytes   = 256 << 10
	batchTargets = 256

	// fewSends are so few that sharing trips saves less than it delays.
	fewSends = 4
)

// batch is what makes a trip together.
type batch struct {
	size    int         // sends that it began with
	sends   []*dispatch // that have not ended
	notices []*notice
}

// lead is the right to make the next round: the second trip of one batch, and the
// first one of another. Either may be nil.
type lead struct {
	current, next *batch
}

// dispatch sends a message and returns how that went.
func (s *Sender) dispatch(d *dispatch) error {
	if first := s.enqueue(d); first != nil {
		s.lead(d, *first)
		return d.err
	}
	select {
	case l, given := <-d.turn:
		if given {
			s.lead(d, l)
		}
	case <-d.ctx.Done():
		if s.withdraw(d) {
			return fmt.Errorf("socket: send: %w", context.Cause(d.ctx))
		}
		if l, given := <-d.turn; given { // It is on its way, which does not take long.
			s.lead(d, l)
		}
	}
	return d.err
}

// enqueue has a dispatch wait for a trip, or gives it the lead.
func (s *Sender) enqueue(d *dispatch) *lead {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, d)
	if len(s.waiting) > 1 || !s.mayLead() { // who has the lead must be in its batch
		return nil
	}
	s.leads++
	return &lead{next: s.take()}
}

// mayLead tells whether there may be one more lead. The caller holds mu.
func (s *Sender) mayLead() bool {
	return s.leads == 0 || s.flying < fewSends && oneRedis(s.redis)
}

// withdraw takes back a dispatch that has not begun its way.
func (s *Sender) withdraw(d *dispatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, d)
	if i < 0 {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return true
}

// lead makes rounds until d, which is in one of the lead's batches, has ended.
func (s *Sender) lead(d *dispatch, l lead) {
	for {
		s.round(d.ctx, l.current, l.next)
		if s.landed(l.next, d.over) {
			return
		}
		l = lead{l.next, s.takeNext()}
	}
}

func (s *Sender) takeNext() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.take()
}

// take takes the next batch out of those that wait, or returns nil. The caller
// holds mu.
func (s *Sender) take() *batch {
	bytes, targets, n := 0, 0, 0
	for _, d := range s.waiting {
		bytes += len(d.stored)
		targets += len(d.targets)
		if n > 0 && (bytes > batchBytes || targets > batchTargets) {
			break
		}
		n++
	}
	if n == 0 {
		return nil
	}
	b := &batch{size: n, sends: slices.Clone(s.waiting[:n])}
	s.waiting = slices.Delete(s.waiting, 0, n)
	s.flying += n
	return b
}

// landed notes that a batch has made its first trip. When the one who has the lead
// is done, it gives the lead to one whose message is not through, if there is one.
func (s *Sender) landed(b *batch, done bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b != nil {
		s.flying -= b.size
	}
	if !done {
		return false
	}
	s.leads--
	switch {
	case b != nil && len(b.sends) > 0:
		s.leads++
		b.sends[0].turn <- lead{b, s.take()}
	case len(s.waiting) > 0 && s.mayLead():
		s.leads++
		first := s.waiting[0]
		first.turn <- lead{next: s.take()}
	}
	return true
}

// sendBackoff is the pause before each repeat of a trip.
var sendBackoff = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond, 320 * time.Millisecond}

// round makes the second trip of a batch and the first one of the next. Of the
// next batch, those that failed have ended when it returns.
//
// A lead that was passed on outlives the one who began: no context ends a round,
// but a message whose sender no longer waits is not tried again.
func (s *Sender) round(ctx context.Context, current, next *batch) {
	ctx = context.WithoutCancel(ctx)
	appends := s.newAppends(next)
	for attempt := 0; ; {
		s.exec(ctx, append(current.noticeCommands(ctx, s.keys()), appends.commands(ctx, s.keys())...))
		last := attempt == len(sendBackoff)
		if current.notified(last) {
			current = nil
		}
		if appends.written(last) && current == nil {
			break
		}
		if !appends.again {
			time.Sleep(sendBackoff[attempt])
			attempt++
		}
	}
	next.makeNotices()
}

// exec carries out commands in one trip, or fails to. Every command has its own
// error. None is repeated by go-redis: it would repeat one whose reply was lost
// without telling it.
func (s *Sender) exec(ctx context.Context, cmds []redis.Cmder) {
	if len(cmds) == 1 { // as nearly always, and cheaper
		_ = s.redis.Process(ctx, neverRepeated{cmds[0]})
		return
	}
	pipe := s.redis.Pipeline()
	for _, cmd := range cmds {
		_ = pipe.Process(ctx, neverRepeated{cmd})
	}
	_, _ = pipe.Exec(ctx)
}

// neverRepeated is a command that go-redis sends at most once, and with it the
// pipeline that it is in.
type neverRepeated struct{ redis.Cmder }

func (neverRepeated) NoRetry() bool { return true }
