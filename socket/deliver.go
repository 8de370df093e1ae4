package socket

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
)

// deliver prepares a message for the connections of its channel. What they have
// is dropped. A message whose predecessor is not what they have is held. It
// returns true when the channel has something to do, for the first time: finish
// must be called then.
func (s *subscription) deliver(d delivery) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.fresh) + len(s.held)
	if !s.joined || !s.advance(d) {
		s.held = append(s.held, d)
	}
	return s.joined && before == 0 && len(s.fresh)+len(s.held) > 0
}

// advance delivers a message that is next in line, or drops one that is behind.
// It returns false for one that is ahead. The caller holds mu.
func (s *subscription) advance(d delivery) bool {
	switch {
	case d.at.seq == 0:
		s.fanOut(d)
	case d.at.seq <= s.last.seq:
	case d.at.previous == s.last.seq:
		s.fanOut(d)
		s.last = d.after()
	default:
		return false
	}
	return true
}

// after is how far a connection is that was given the message last.
func (d delivery) after() point {
	if d.record.key != "" { // no log has it
		return point{d.at.seq, d.at.logged}
	}
	return point{d.at.seq, d.at.seq}
}

// finish gives the connections what deliver has prepared and, if need be, what is
// missing in between.
func (h *hub) finish(ctx context.Context, s *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.mend(ctx, s)
	s.flush()
}

// mend delivers what is held. Two senders that overlapped may have told the
// server in the wrong order; otherwise the log fills the gap. The caller holds mu.
func (h *hub) mend(ctx context.Context, s *subscription) {
	held := s.held
	s.held = nil
	slices.SortFunc(held, func(a, b delivery) int { return cmp.Compare(a.at.seq, b.at.seq) })
	for _, d := range held {
		if !s.advance(d) {
			h.repair(ctx, s, held[len(held)-1].at.seq)
			return
		}
	}
}

// catchUp is told how far the channel was when the server was entered in its
// directory: what came before may have missed the server's inbox. The first
// connections want none of it; after a new lease they have a part of it, up to
// what was before. A channel that is not even as far has lost messages that they
// have, and maybe others.
func (h *hub) catchUp(ctx context.Context, s *subscription, before, top point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.joined:
		s.joined, s.last = true, top
	case top.seq < before.seq && s.last == before: // or the reader found it out
		s.missed()
		s.last = top
	case s.last.seq < top.seq: // the reader may be further by now
		h.repair(ctx, s, top.seq)
	}
	h.mend(ctx, s)
	s.flush()
}

// repair reads what the connections do not have, which should go at least as far
// as upTo, from the channel's log. When the log does not follow on what they
// have, they have missed something and are told so. The caller holds mu.
func (h *hub) repair(ctx context.Context, s *subscription, upTo uint64) {
	for {
		p, err := h.replay(ctx, s.channel, s.last, upTo)
		if errors.Is(ctx.Err(), context.Canceled) {
			return // the inbox is given up; who registers the channel anew finds the gap
		}
		if err != nil {
			h.log.Warn("socket: messages were missed", "channel", s.channel, "connections", s.size(), "error", err)
			s.last = point{max(upTo, s.last.seq), 0} // no log follows on that
			s.missed()
			return
		}
		if !p.complete {
			h.log.Warn("socket: messages were missed", "channel", s.channel, "connections", s.size(),
				"have", s.last.seq, "newest", upTo)
			s.missed()
		}
		for _, d := range p.messages {
			s.fanOut(d)
		}
		s.last = p.to
		if !p.more {
			return
		}
	}
}

// fanOut prepares a message for the live connections, which flush gives them.
func (s *subscription) fanOut(d delivery) {
	if s.live.size() > 0 {
		m := messages.Get().(*message)
		m.delivery = d
		s.fresh = append(s.fresh, m)
	}
}

// flush gives the live connections what was prepared, each all of it at once. The
// caller holds mu. It must be done before the set of live connections, or what
// they are told otherwise, changes.
func (s *subscription) flush() {
	if len(s.fresh) == 0 {
		return
	}
	fresh := s.fresh
	s.fresh = nil
	if only := s.live.only(); only == nil || !only.giveAlone(fresh) {
		// A connection that cannot take them is closed.
		s.live.each(func(c *connection) { _ = c.give(fresh...) })
	}
	for i, m := range fresh {
		*m = message{}
		messages.Put(m)
		fresh[i] = nil
	}
	if cap(fresh) == 1 { // more would be much for a channel that is mostly idle
		s.fresh = fresh[:0]
	}
}

// messages are used again: connections keep only the bytes of their frames.
var messages = sync.Pool{New: func() any { return new(message) }}

// missed tells the live connections that messages are lost for them.
func (s *subscription) missed() {
	s.flush()
	s.live.each(func(c *connection) { c.missed(s.channel, s.last) })
}
