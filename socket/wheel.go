package socket

import (
	"context"
	"sync"
	"time"
)

// wheel holds every connection in the slot of the moment at which something is
// due: a ping, the end of the time to answer one, to authenticate, or to answer
// a close. So connections need no timers. It turns once a tick, and what is due
// may be late by that much.
type wheel struct {
	tick                    time.Duration
	auth, ping, pong, close int64 // the limits, in ticks

	mu     sync.Mutex
	now    int64             // in ticks since the beginning
	slots  [1024]*connection // lists; a connection is in slot due % len(slots)
	spread int64             // of the first pings over an interval
}

// maxTick is short, for what is due in a tick is done at once, and everything else
// waits for it: of 10,000 connections that are pinged every 25 s, it is 20.
const maxTick = 50 * time.Millisecond

// phase is what a connection's place in the wheel is about.
type phase int8

const (
	absent    phase = iota // not in the wheel
	joining                // it must authenticate, or say what it has
	deciding               // it has done so, and the server has not finished with that
	living                 // it is pinged and must be heard
	departing              // it was sent a close frame and must answer
)

// spoke is a connection's place in the wheel, whose mutex guards it.
type spoke struct {
	prev, next *connection
	phase      phase
	due        int64 // the tick at which to look after it
	left       int64 // ticks that it has to authenticate, when the server has decided
	ping       int64 // the tick of the next ping
	silent     int64 // the tick of the first ping since which it was not heard, or 0
}

func newWheel(c config, tick time.Duration) *wheel {
	w := &wheel{tick: tick}
	ticks := func(d time.Duration) int64 { return max(1, int64((d+tick-1)/tick)) }
	w.auth, w.ping, w.pong, w.close = ticks(c.auth), ticks(c.ping), ticks(c.pong), ticks(closeReply)
	return w
}

// tick is how often the wheel turns. Limits that are short are kept more exactly.
func (c config) tick() time.Duration {
	return max(time.Millisecond, min(maxTick, min(c.ping, c.pong, c.auth)/4))
}

// run turns the wheel until ctx is cancelled. Ticks that were missed are not made
// up for: after a time in which the process did not run, clients get the time to
// answer that they could not use.
func (w *wheel) run(ctx context.Context) {
	ticker := time.NewTicker(w.tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, d := range w.turn() {
			d.do(d.c)
		}
	}
}

// duty is what has to be done about a connection.
type duty struct {
	c  *connection
	do func(*connection)
}

// turn goes on by a tick and returns what is due.
func (w *wheel) turn() (duties []duty) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now++
	for c := w.slots[w.now%int64(len(w.slots))]; c != nil; {
		next := c.spoke.next
		if c.spoke.due <= w.now {
			if do := w.look(c); do != nil {
				duties = append(duties, duty{c, do})
			}
		}
		c = next
	}
	return duties
}

// look decides about a connection that is due, and when it is due again.
func (w *wheel) look(c *connection) (do func(*connection)) {
	s := &c.spoke
	switch s.phase {
	case joining:
		do = func(c *connection) { c.finish(closeFrame(CloseAuthTimeout, "not authenticated in time")) }
		w.move(c, w.now+w.auth)
	case deciding:
		w.move(c, w.now+w.auth)
	case departing:
		do = (*connection).cut
		w.move(c, w.now+w.close)
	case living:
		if s.silent > 0 && (c.in.heard.Load() || c.waiting.Load()) {
			s.silent = 0
		}
		if s.ping <= w.now {
			s.ping = w.now + w.ping
			do = (*connection).ping
			if s.silent == 0 {
				s.silent = w.now
				c.in.heard.Store(false)
			}
		}
		if s.silent > 0 && w.now >= s.silent+w.ping+w.pong {
			do = (*connection).cut
			s.silent = w.now // it is over; no need to look at every tick
		}
		due := s.ping
		if s.silent > 0 {
			due = min(due, s.silent+w.ping+w.pong)
		}
		w.move(c, due)
	}
	return do
}

// add puts a connection into the wheel.
func (w *wheel) add(c *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.spoke.phase = joining
	w.link(c, w.now+w.auth)
	if c.user != nil && !c.resumes {
		w.live(c)
	}
}

// accepted begins to ping a connection that has authenticated.
func (w *wheel) accepted(c *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.spoke.phase == joining || c.spoke.phase == deciding {
		w.live(c)
	}
}

// decides has the time stand still in which a connection must authenticate, while the
// server is busy with what it said. It returns a function that has it go on, unless the
// connection was accepted or closed.
func (w *wheel) decides(c *connection) (goOn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.spoke.phase != joining {
		return func() {}
	}
	c.spoke.phase, c.spoke.left = deciding, c.spoke.due-w.now
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.spoke.phase == deciding {
			c.spoke.phase = joining
			w.move(c, w.now+c.spoke.left)
		}
	}
}

// live has the first ping come after a part of the interval, so that connections
// that came together are pinged one after the other. The first of them waits for
// half of it: who has just come need not be asked whether it is there.
func (w *wheel) live(c *connection) {
	w.spread = (w.spread + 1) % w.ping
	c.spoke.phase = living
	c.spoke.ping = w.now + 1 + (w.spread+w.ping/2)%w.ping
	w.move(c, c.spoke.ping)
}

// closing begins to wait for the answer to a close frame.
func (w *wheel) closing(c *connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.spoke.phase != absent {
		c.spoke.phase = departing
		w.move(c, w.now+w.close)
	}
}

// remove takes a connection out, and tells whether it was in.
func (w *wheel) remove(c *connection) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.spoke.phase == absent {
		return false
	}
	w.unlink(c)
	c.spoke.phase = absent
	return true
}

// all returns every connection in the wheel.
func (w *wheel) all() (conns []*connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.slots {
		for ; c != nil; c = c.spoke.next {
			conns = append(conns, c)
		}
	}
	return conns
}

func (w *wheel) move(c *connection, due int64) {
	w.unlink(c)
	w.link(c, due)
}

func (w *wheel) link(c *connection, due int64) {
	first := &w.slots[due%int64(len(w.slots))]
	c.spoke.due, c.spoke.prev, c.spoke.next = due, nil, *first
	if *first != nil {
		(*first).spoke.prev = c
	}
	*first = c
}

func (w *wheel) unlink(c *connection) {
	s := &c.spoke
	if s.prev != nil {
		s.prev.spoke.next = s.next
	} else {
		w.slots[s.due%int64(len(w.slots))] = s.next
	}
	if s.next != nil {
		s.next.spoke.prev = s.prev
	}
	s.prev, s.next = nil, nil
}
