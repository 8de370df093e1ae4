package client

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// serverBucket is how a server counts what a client sends.
type serverBucket struct {
	interval, ahead time.Duration
	used            time.Time
}

func (b *serverBucket) take(now time.Time) bool {
	if b.used.Before(now) {
		b.used = now
	}
	if b.used.Sub(now) > b.ahead {
		return false
	}
	b.used = b.used.Add(b.interval)
	return true
}

// TestThrottle sends as fast as it allows, over a network that delays at random less
// than the margin, and is never too fast.
func TestThrottle(t *testing.T) {
	for _, limit := range []struct {
		perSecond float64
		burst     int
	}{{10, 1}, {10, 10}, {1000, 100}, {0.5, 3}, {3, 2}} {
		now := time.Unix(1e9, 0)
		interval := time.Duration(float64(time.Second) / limit.perSecond)
		b := serverBucket{interval, time.Duration(limit.burst-1) * interval, time.Time{}}
		b.take(now)
		th := newThrottle(limit.perSecond, limit.burst, now)
		begin := now
		for i := range 500 {
			now = now.Add(th.wait(now, false))
			th.take(now)
			if i%3 == 0 && limit.burst > 4 { // this one and the next come together
				now = now.Add(interval)
			}
			if !b.take(now) {
				t.Fatalf("%v: frame %d is too fast", limit, i)
			}
		}
		if took, most := now.Sub(begin), 500*interval*112/100; took > most {
			t.Errorf("%v: 500 frames took %v, want at most %v", limit, took, most)
		}
	}
	th := newThrottle(0, 0, time.Now())
	for i := range 1000 {
		if th.take(time.Now()); th.wait(time.Now(), i%2 == 0) != 0 {
			t.Fatal("without a limit something had to wait")
		}
	}
}

// TestBufferIsWrittenAtTheServersRate when a client comes back with a full one.
func TestBufferIsWrittenAtTheServersRate(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		const messages = 50
		c := &Client{}
		for i := range messages {
			if err := c.Send(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		s.run(c)
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"},"maxRate":10,"maxBurst":9}`)
		began := time.Now()
		const burst = 6 // three quarters of it, without the first frame
		for i := range burst {
			p.expect(fmt.Sprintf(`{"data":%d}`, i))
		}
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Errorf("a burst took %v", took)
		}
		p.silent()
		p.say("{}")
		p.expect("{}") // a sign of life does not wait
		for i := range messages - burst {
			p.expect(fmt.Sprintf(`{"data":%d}`, i+burst))
		}
		if took := time.Since(began); took < 4*time.Second || took > 6*time.Second {
			t.Errorf("%d messages took %v, want about %v", messages, took, 4900*time.Millisecond)
		}
	})
}

// TestThrottledClientLeaves with what is in its buffer, as far as there is time, and
// leaves no timer behind.
func TestThrottledClientLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{OnMessage: func(context.Context, Message) error { return nil }}
		for i := range 3 {
			if err := c.Send(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		r := s.run(c)
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"},"maxRate":1,"maxBurst":1}`)
		synctest.Wait()
		go r.cancel()
		for i := range 3 {
			p.expect(fmt.Sprintf(`{"data":%d}`, i))
		}
		p.expect("close 1000 (normal)")
	})
}

// TestSignsOfLifeKeepTheRate when heartbeats come just after the client has sent all
// that it may.
func TestSignsOfLifeKeepTheRate(t *testing.T) {
	for burst := 1; burst <= 6; burst++ {
		inBubble(t, func(t *testing.T, s *stage) {
			c := &Client{}
			for i := range 20 {
				must(t, c.Send(t.Context(), i))
			}
			s.run(c)
			p := s.next()
			p.expect(fresh)
			b := serverBucket{time.Second, time.Duration(burst-1) * time.Second, time.Time{}}
			b.take(time.Now())
			p.say(fmt.Sprintf(`{"connected":{"connection":"c1","maxRate":1,"maxBurst":%d}}`, burst))
			for messages, beats := 0, 0; messages < 20 || beats < 4; {
				got := eventually(t, p.heard, "a frame")
				if !b.take(time.Now()) {
					t.Fatalf("burst %d: %s is too fast, after %d messages and %d signs of life", burst, got, messages, beats)
				}
				if got == "{}" {
					beats++
				} else if messages++; messages%5 == 1 {
					p.say("{}")
				}
			}
		})
	}
}

// TestAcksDoNotWaitForTheBuffer, since a job takes the place of a message that is
// acknowledged too late.
func TestAcksDoNotWaitForTheBuffer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{OnMessage: func(context.Context, Message) error { return nil }}
		for i := range 20 {
			must(t, c.Send(t.Context(), i))
		}
		s.run(c)
		const slow = `{"connection":"c1","at":{"":"p0"},"maxRate":1,"maxBurst":3}`
		p := s.welcome(fresh, slow)
		p.expect(`{"data":0}`)
		p.say(`{"at":"p1","data":1,"ack":"one"}`)
		p.say(`{"at":"p2","data":2,"ack":"two"}`)
		p.expect(`{"ack":"one"}`)
		p.expect(`{"ack":"two"}`)
		p.expect(`{"data":1}`)
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"p2"}}}`, slow)
		p.expect(`{"ack":"one"}`)
		p.expect(`{"ack":"two"}`)
		p.expect(`{"data":2}`)
	})
}
