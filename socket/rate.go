package socket

import (
	"math"
	"time"
)

// rate limits the messages of a client: one an interval on average, and so many
// at once that the last is early by as much as ahead.
type rate struct {
	interval, ahead time.Duration
}

func newRate(perSecond float64, burst int) rate {
	if perSecond <= 0 {
		return rate{}
	}
	if burst <= 0 {
		burst = max(1, int(math.Ceil(perSecond)))
	}
	interval := time.Duration(float64(time.Second) / perSecond)
	return rate{interval, time.Duration(burst-1) * interval}
}

// limits returns what newRate was given, or its default.
func (r rate) limits() (perSecond float64, burst int) {
	if r.interval == 0 {
		return 0, 0
	}
	return float64(time.Second) / float64(r.interval), int(r.ahead/r.interval) + 1
}

// bucket is how much of its rate one client has used up. Its times are since the
// hub began.
type bucket struct {
	used    time.Duration // everything until then, which may lie ahead
	behind  time.Duration // since then there was always something to read
	delayed time.Duration // and messages that came early had to wait for so long in all
}

// take takes one message out of the bucket, or returns in how much time there will be
// one. What came while the server was behind with reading may have been sent at any
// time since.
func (b *bucket) take(r rate, now time.Duration) (early time.Duration) {
	b.used = max(b.used, b.behind)
	if early = b.used - now - r.ahead; early > 0 {
		return early
	}
	b.used += r.interval
	return 0
}

// caughtUp notes that there was nothing to read.
func (b *bucket) caughtUp(now time.Duration) { b.behind, b.delayed = now, 0 }

// glance is how often the reader, while a message has to wait, looks whether the
// connection is over.
const glance = 50 * time.Millisecond

// fairPart is how many bytes a part of a message has at least that is not counted for
// itself, as long as it is not the last: libraries make parts of the size of their
// buffers.
const fairPart = 1 << 10

// admit counts a message, a small part of one, or a control frame of the client. One that comes early has to wait,
// and what the client sends after it waits in the network: it may have been sent in
// time, and have been held up there. It fails when the client does not stop.
func (c *connection) admit() error {
	if c.hub.rate.interval == 0 {
		return nil
	}
	for {
		now := time.Since(c.hub.began)
		if c.in.waited {
			c.in.waited = false
			c.bucket.caughtUp(now)
		}
		early := c.bucket.take(c.hub.rate, now)
		switch {
		case early <= 0, c.isOver(): // then nobody handles it
			return nil
		case c.bucket.delayed > c.hub.ping+c.hub.pong:
			return &violation{CloseTooFast, "too many messages"}
		}
		c.whileBusy(func() { pause(c.hub.base, min(early, glance)) })
		c.bucket.delayed += time.Since(c.hub.began) - now
	}
}

// isOver tells whether messages of the client are of no interest any more.
func (c *connection) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing || c.ended
}
