package socket

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Sends that overlap share their trips to Redis. One of them has the lead: it
// takes those that wait, as one batch, and makes the trips for all, the second
// trip of a batch together with the first one of the next. So there is one round
// trip for each batch, batches grow as fast as sends come in, and the second
// trips are made in the order of the first ones. When its own message is on its
// way, it passes the lead on.

const (
	// A batch takes about so many bytes of messages and so many channels.
	batchBytes   = 256 << 10
	batchTargets = 256
)

// batch is what makes a trip together.
type batch struct {
	sends   []*dispatch
	notices []*notice
}

// dispatch sends a message and returns how that went.
func (s *Sender) dispatch(d *dispatch) error {
	s.mu.Lock()
	s.waiting = append(s.waiting, d)
	lead := !s.led
	if lead {
		s.led, d.led = true, true
	}
	s.mu.Unlock()
	if lead {
		s.lead(d, nil)
		return d.err
	}
	select {
	case current, led := <-d.turn:
		s.goOn(d, current, led)
	case <-d.ctx.Done():
		if s.withdraw(d) {
			return fmt.Errorf("socket: send: %w", context.Cause(d.ctx))
		}
		current, led := <-d.turn // It is on its way, which does not take long.
		s.goOn(d, current, led)
	}
	return d.err
}

func (s *Sender) goOn(d *dispatch, current *batch, led bool) {
	if led {
		s.lead(d, current)
	}
}

// withdraw takes back a dispatch that has not begun its way.
func (s *Sender) withdraw(d *dispatch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.waiting, d)
	if i < 0 || d.led {
		return false
	}
	s.waiting = slices.Delete(s.waiting, i, i+1)
	return true
}

// lead makes the trips of all until d has ended.
func (s *Sender) lead(d *dispatch, current *batch) {
	for {
		next := s.take()
		s.round(d.ctx, current, next)
		current = next
		if d.over {
			s.passOn(current)
			return
		}
	}
}

// take returns the next batch, or nil.
func (s *Sender) take() *batch {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	b := &batch{sends: slices.Clone(s.waiting[:n])}
	s.waiting = slices.Delete(s.waiting, 0, n)
	return b
}

// passOn gives the lead, and what is on its way, to one whose message is not
// through, if there is one.
func (s *Sender) passOn(current *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next *dispatch
	switch {
	case current != nil && len(current.sends) > 0:
		next = current.sends[0]
	case len(s.waiting) > 0:
		next = s.waiting[0]
	default:
		s.led = false
		return
	}
	next.led = true
	next.turn <- current
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
	for attempt := 0; ; attempt++ {
		pipe := s.redis.Pipeline()
		current.queueNotices(ctx, pipe, s.keys())
		appends.queue(ctx, pipe, s.keys())
		_, _ = pipe.Exec(ctx) // every command has its own error
		last := attempt == len(sendBackoff)
		if current.notified(last) {
			current = nil
		}
		if appends.written(last) && current == nil {
			break
		}
		if current != nil || !appends.again {
			time.Sleep(sendBackoff[attempt])
		}
	}
	next.makeNotices()
}
