package socket

import (
	"context"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestABucketAllowsABurstAndThenTheRate(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		name  string
		rate  rate
		at    []time.Duration // when messages come
		until int             // so many of them are taken
	}{
		{"a burst", newRate(10, 5), []time.Duration{0, 0, 0, 0, 0, 0}, 5},
		{"a second's worth by default", newRate(3, 0), []time.Duration{0, 0, 0, 0}, 3},
		{"at least one", newRate(0.5, 0), []time.Duration{0, 2000 * ms, 3999 * ms}, 2},
		{"exactly the rate", newRate(10, 1), []time.Duration{0, 100 * ms, 200 * ms, 300 * ms}, 4},
		{"a little faster", newRate(10, 1), []time.Duration{0, 100 * ms, 199 * ms}, 2},
		{"a burst after some time", newRate(10, 2), []time.Duration{0, 0, 100 * ms, 100 * ms}, 3},
		{"a pause is no credit", newRate(10, 2), []time.Duration{0, time.Hour, time.Hour, time.Hour}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b bucket
			taken := 0
			for _, at := range test.at {
				b.behind = at // there was nothing to read before
				if !b.take(test.rate, at) {
					break
				}
				taken++
			}
			if taken != test.until {
				t.Errorf("%d messages were taken, want %d", taken, test.until)
			}
		})
	}
}

// A client sends at the rate while a handler holds the server up for ten seconds.
func TestABucketDoesNotBlameAClientForTheServersDelay(t *testing.T) {
	b, r := bucket{}, newRate(10, 5)
	for i := range 101 {
		if !b.take(r, 10*time.Second) {
			t.Fatalf("message %d of those that came in between was refused", i)
		}
	}
	for i := range 10 {
		if !b.take(r, 10*time.Second) && i < 4 {
			t.Fatalf("message %d of the burst was refused", i)
		}
	}
	if b.take(r, 10*time.Second) {
		t.Error("a message too many was taken")
	}
}

func TestAClientThatSendsTooFastIsClosed(t *testing.T) {
	s := echoServer(t, &Server{MaxRate: 1, MaxBurst: 3})
	c := dialWire(t, s.URL, "")
	c.say(masked(aText, "1") + masked(aPing, "2") + masked(aText, "3"))
	for range 3 { // a handler and the reader answer in any order
		if f, err := c.next(); err != nil || f.first == aClose {
			t.Fatalf("received %v, %v", f, err)
		}
	}
	c.say(masked(aPong, "not counted") + masked(aText, "4"))
	c.expectClosed(CloseTooFast)
}

// The messages that wait while a handler runs came in time.
func TestAHandlerThatTakesLongLeavesTheRateAlone(t *testing.T) {
	const messages = 20
	begun, finish := make(chan struct{}, messages), make(chan struct{})
	s := &Server{Redis: redistest.Embedded(t), MaxRate: 50, MaxBurst: 5, Handlers: Handlers{
		OnMessage: func(ctx context.Context, m *Message) error {
			begun <- struct{}{}
			<-finish
			return echo(ctx, m)
		},
	}}
	c := dialWire(t, serve(t, s).URL, "")
	for range messages {
		c.say(masked(aText, "x"))
		pause(t.Context(), 25*time.Millisecond) // slower than 50 a second, while the first is handled
	}
	<-begun
	close(finish)
	for range messages {
		c.expect(wireFrame{aText, "x"})
	}
}
