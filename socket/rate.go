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
	used   time.Duration // everything until then, which may lie ahead
	behind time.Duration // since then there was always something to read
}

// take takes one message out of the bucket, unless there is none. What came while
// the server was behind with reading may have been sent at any time since.
func (b *bucket) take(r rate, now time.Duration) bool {
	b.used = max(b.used, b.behind)
	if b.used-now > r.ahead {
		return false
	}
	b.used += r.interval
	return true
}

// admit counts a message or a ping of the client. It fails when that is one too
// many.
func (c *connection) admit() error {
	if c.hub.rate.interval == 0 {
		return nil
	}
	now := time.Since(c.hub.began)
	if c.in.waited {
		c.in.waited, c.bucket.behind = false, now
	}
	if !c.bucket.take(c.hub.rate, now) {
		return &violation{CloseTooFast, "too many messages"}
	}
	return nil
}
