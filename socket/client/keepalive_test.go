package client

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

const beating = `{"connection":"c1","heartbeat":25000,"timeout":10000}`

func TestHeartbeatsAreAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.run(&Client{OnDisconnected: func(_ context.Context, err error, _ time.Duration) { t.Error(err) }})
		p := s.welcome(fresh, beating)
		for range 100 {
			time.Sleep(25 * time.Second)
			p.say("{}")
			p.expect("{}")
		}
		p.silent()
	})
}

// TestDeadLinkIsDropped after heartbeat and timeout, counted from the last byte.
func TestDeadLinkIsDropped(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		lost := make(chan error, 1)
		s.run(&Client{OnDisconnected: func(_ context.Context, err error, _ time.Duration) { lost <- err }})
		p := s.welcome(fresh, beating)
		time.Sleep(34 * time.Second)
		p.say(`{"data":1}`)
		heard := time.Now()
		err := eventually(t, lost, "OnDisconnected")
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("the link was lost: %v", err)
		}
		if took := time.Since(heard); took != 35*time.Second {
			t.Fatalf("dropped after %v, want 35s", took)
		}
		s.next()
	})
}

// TestServerWithoutHeartbeats is taken to be there.
func TestServerWithoutHeartbeats(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		got := make(chan Message, 1)
		s.run(&Client{OnMessage: func(_ context.Context, m Message) error { got <- m; return nil }})
		p := s.welcome(fresh, `{"connection":"c1"}`)
		time.Sleep(24 * time.Hour)
		p.say(`{"data":1}`)
		eventually(t, got, "a message")
		p.silent()
	})
}

// TestLongHandlerKeepsTheConnection although heartbeats wait unread.
func TestLongHandlerKeepsTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.run(&Client{OnMessage: func(context.Context, Message) error {
			time.Sleep(110 * time.Second)
			return nil
		}})
		p := s.welcome(fresh, beating)
		time.Sleep(20 * time.Second)
		p.say("{}")
		p.expect("{}")
		last := time.Now()
		time.Sleep(3 * time.Second)
		p.say(`{"at":"p1","data":1,"ack":"done"}`)
		for range 4 {
			p.expect("{}")
			if gap := time.Since(last); gap != 25*time.Second {
				t.Fatalf("silent for %v, want 25s", gap)
			}
			last = time.Now()
		}
		p.expect(`{"ack":"done"}`)
		time.Sleep(30 * time.Second)
		p.silent()
	})
}

// TestBusyServerHearsTheClient although it has no need for heartbeats.
func TestBusyServerHearsTheClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.run(&Client{})
		p := s.welcome(fresh, beating)
		last, beats := time.Now(), 0
		for range 300 {
			time.Sleep(time.Second)
			p.say(`{"data":1}`)
			select {
			case got := <-p.heard:
				if gap := time.Since(last); got != "{}" || gap < 24*time.Second || gap > 26*time.Second {
					t.Fatalf("said %q after %v", got, gap)
				}
				last = time.Now()
				beats++
			default:
			}
		}
		if beats < 11 {
			t.Fatalf("said %d times in 300 s that it is there", beats)
		}
	})
}

// TestStalledServer does not take what the client writes.
func TestStalledServer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.deaf = true
		lost := make(chan error, 1)
		r := s.run(&Client{OnDisconnected: func(_ context.Context, err error, _ time.Duration) { lost <- err }})
		s.welcomeDeaf(fresh, `{}`)
		began := time.Now()
		must(t, r.Send(t.Context(), "stays"))
		eventually(t, lost, "OnDisconnected")
		if took := time.Since(began); took != DefaultWriteTimeout {
			t.Fatalf("dropped after %v, want %v", took, DefaultWriteTimeout)
		}
		p := s.welcomeDeaf(fresh, `{}`)
		p.read(`{"text":"stays"}`)
	})
}
