package client

import "time"

// throttle keeps a client within what its server takes, or the server would close
// the connection and lose what is written next. A network may deliver faster than
// was sent, after a delay, so the throttle is stricter than the server.
type throttle struct {
	interval time.Duration // between frames on average; 0 means no limit
	ahead    time.Duration // by how much the last frame of a burst is early
	most     time.Duration // by how much a sign of life may be, for which the rest is kept
	used     time.Time     // everything until then, which may lie ahead
}

// newThrottle is for a connection whose first frame has been written.
func newThrottle(perSecond float64, burst int, now time.Time) throttle {
	if perSecond <= 0 {
		return throttle{}
	}
	seconds := min(1.1/perSecond, farthest.Seconds())
	ahead := min(0.75*float64(max(0, burst-1))*seconds, farthest.Seconds())
	most := min(float64(max(0, burst-1))/perSecond, farthest.Seconds())
	duration := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	t := throttle{duration(seconds), duration(ahead), duration(most), now}
	t.take(now)
	return t
}

// wait returns how long the next frame has to wait, a sign of life or another.
func (t *throttle) wait(now time.Time, beat bool) time.Duration {
	ahead := t.ahead
	if beat {
		ahead = t.most
	}
	return max(0, t.used.Sub(now)-ahead)
}

// take counts a frame.
func (t *throttle) take(now time.Time) {
	if t.interval == 0 {
		return
	}
	if t.used.Before(now) {
		t.used = now
	}
	t.used = t.used.Add(t.interval)
}

// holdBack tells whether the next frame has to wait; then the writer is started
// again in time. Otherwise the frame counts as written. The caller holds the mutex.
func (c *Client) holdBack(l *link, beat bool) bool {
	now := time.Now()
	wait := l.throttle.wait(now, beat)
	if wait == 0 {
		l.throttle.take(now)
		return false
	}
	if l.held == nil {
		l.work.Add(1)
		l.held = time.AfterFunc(wait, func() {
			defer l.work.Done()
			c.mu.Lock()
			defer c.mu.Unlock()
			l.held = nil
			c.kick(l)
		})
	}
	return true
}
