package socket

import (
	"cmp"
	"context"
	"slices"
)

// deliver gives a message to the connections of its channel. What they have is
// dropped. A message whose predecessor is not what they have is held; mend must
// be called then.
func (s *subscription) deliver(d delivery) (held bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined || !s.advance(d) {
		s.held = append(s.held, d)
		return s.joined
	}
	return false
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

// mend delivers what is held. Two senders that overlapped may have told the
// server in the wrong order; otherwise the log fills the gap.
func (h *hub) mend(ctx context.Context, s *subscription) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.mendLocked(ctx, s)
}

func (h *hub) mendLocked(ctx context.Context, s *subscription) {
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
// connections want none of it; after a new lease they have a part of it.
func (h *hub) catchUp(ctx context.Context, s *subscription, top point) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined {
		s.joined, s.last = true, top
	} else if s.last.seq < top.seq { // the reader may be further by now
		h.repair(ctx, s, top.seq)
	}
	h.mendLocked(ctx, s)
}

// repair reads what the connections do not have, which should go at least as far
// as upTo, from the channel's log. When the log does not follow on what they
// have, they have missed something and are told so. The caller holds mu.
func (h *hub) repair(ctx context.Context, s *subscription, upTo uint64) {
	for {
		page, err := h.replay(ctx, s.channel, s.last, upTo)
		if err != nil {
			h.log.Warn("socket: messages were missed", "channel", s.channel, "connections", len(s.conns), "error", err)
			s.last = point{max(upTo, s.last.seq), 0} // no log follows on that
			s.missed()
			return
		}
		if !page.complete {
			h.log.Warn("socket: messages were missed", "channel", s.channel, "connections", len(s.conns),
				"have", s.last.seq, "newest", upTo)
			s.missed()
		}
		for _, d := range page.messages {
			s.fanOut(d)
		}
		s.last = page.to
		if !page.more {
			return
		}
	}
}
