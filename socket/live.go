package socket

import "context"

// A connection joins a channel in two steps. First it waits: the channel is
// registered in Redis and the server receives what is sent to it. Then it is
// brought up to date and goes live: from there on it is given what the channel's
// other connections are given.

// goLive has a connection that waits receive what is sent from now on. It returns
// how far the channel is, and whether the connection was waiting.
func (s *subscription) goLive(c *connection) (point, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	if !s.waiting.remove(c) {
		return s.last, false
	}
	s.live.add(c)
	return s.last, true
}

// goLiveAt is goLive for a connection that is exactly where the others are.
func (s *subscription) goLiveAt(c *connection, at point) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	if s.last != at || !s.waiting.remove(c) {
		return false
	}
	s.live.add(c)
	return true
}

// bringUp gives a connection that waits its backlog, and then has it go live.
// Where the log does not reach back far enough, the connection is told that
// messages are lost.
func (h *hub) bringUp(ctx context.Context, c *connection, b backlog) {
	for next := b.first; b.sub.waitsFor(c); next = nil {
		if next == nil {
			p, err := h.replay(ctx, b.sub.channel, b.from, 0)
			if err != nil || !p.complete {
				if at, waited := b.sub.goLive(c); waited {
					c.missed(b.sub.channel, at)
				}
				return
			}
			next = &p
		}
		if !next.more && h.takeOver(ctx, c, b, *next) {
			return
		}
		if err := b.sub.giveAll(ctx, c, next.messages); err != nil {
			return // it has ended, or left the channel
		}
		b.from = next.to
	}
}

// waitsFor tells whether a connection has joined and is not live.
func (s *subscription) waitsFor(c *connection) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting.has(c)
}

// takeOver gives a connection the last page and has it go live, unless the others
// are further than that page by now. A message on the page that they do not have
// yet reaches the connection together with them.
func (h *hub) takeOver(ctx context.Context, c *connection, b backlog, p page) bool {
	size := 0
	for _, d := range p.messages {
		size += len(d.record.data) + overhead
	}
	if size > h.maxQueued/4 {
		return false // it has to be given in portions
	}
	s := b.sub
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting.has(c) {
		return true // it has ended, or left the channel
	}
	s.flush()
	if s.last.seq < b.from.seq { // the client is ahead of this server
		h.repair(ctx, s, b.from.seq)
		s.flush()
	}
	if s.last.seq > p.to.seq {
		return false
	}
	for _, d := range p.messages {
		if d.at.seq <= s.last.seq {
			_ = c.give(&message{delivery: d}) // a connection that cannot take it is closed
		}
	}
	s.waiting.remove(c)
	s.live.add(c)
	return true
}
