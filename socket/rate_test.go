package socket

import (
	"context"
	"math"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
	"github.com/redis/go-redis/v9"
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
				if b.take(test.rate, at) > 0 {
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
		if b.take(r, 10*time.Second) > 0 {
			t.Fatalf("message %d of those that came in between was refused", i)
		}
	}
	for i := range 10 {
		if b.take(r, 10*time.Second) > 0 && i < 4 {
			t.Fatalf("message %d of the burst was refused", i)
		}
	}
	if early := b.take(r, 10*time.Second); early != 100*time.Millisecond {
		t.Errorf("a message too many is %v early, want 100ms", early)
	}
}

func TestAClientThatDoesNotStopToSendTooFastIsClosed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const perSecond, burst = 100, 3
		var handled atomic.Int64
		s := serve(t, &Server{Redis: rdb, MaxRate: perSecond, MaxBurst: burst, PingInterval: 100 * time.Millisecond, PongTimeout: 100 * time.Millisecond,
			Handlers: Handlers{OnMessage: func(context.Context, *Message) error { handled.Add(1); return nil }}})
		began := time.Now()
		for name, frame := range map[string]string{
			"messages": masked(aText, "x"), "empty messages": masked(aText, ""), "pings": masked(aPing, "x"), "pongs": masked(aPong, "x"),
			"empty parts": masked(goesOn, ""), "small parts": masked(goesOn, "x"), "pings between parts": masked(aPing, "") + masked(goesOn, ""),
			"pongs between parts": masked(aPong, ""),
		} {
			c := dialWire(t, s.URL, "")
			if strings.HasSuffix(name, "parts") {
				c.say(masked(beginsText, ""))
			}
			c.say(strings.Repeat(frame, 10_000))
			for {
				f, err := c.next()
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if f.first == aClose {
					if code := codeOf([]byte{aClose, byte(len(f.payload)), f.payload[0], f.payload[1]}); code != CloseTooFast {
						t.Errorf("%s: closed with %d, want %d", name, code, CloseTooFast)
					}
					break
				}
			}
		}
		if most := burst + perSecond*time.Since(began).Seconds(); float64(handled.Load()) > most || handled.Load() < burst {
			t.Errorf("%d messages were handled, want at most %.0f", handled.Load(), most)
		}
	})
}

// Libraries send a large message in parts of the size of their buffers.
func TestPartsOfALargeMessageAreOneMessage(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxRate: 0.05, MaxBurst: 1, Handlers: Handlers{OnMessage: echo}})
		text := strings.Repeat("x", 50_000)
		var parts string
		for first, rest := byte(beginsText), text; rest != ""; first = goesOn {
			n := min(len(rest), fairPart)
			if n == len(rest) {
				first |= ends
			}
			parts += masked(first, rest[:n])
			rest = rest[n:]
		}
		c := dialWire(t, s.URL, "")
		c.say(parts)
		c.expect(wireFrame{aText, text}) // a second one would have to wait for 20 s
	})
}

// The pong that answers a ping is not one too many.
func TestAPongThatWasAskedForIsFree(t *testing.T) {
	h := newHub(t.Context(), &Server{Redis: redistest.Embedded(t), Logger: quiet, MaxRate: 1, MaxBurst: 1})
	c := newConnection(h)
	pong := func() {
		t.Helper()
		c.in.conn = recorded{Reader: strings.NewReader(masked(aPong, ""))}
		if _, _, err := c.message(); err != nil {
			t.Fatal(err)
		}
	}
	c.ping()
	pong()
	if c.bucket.used > 0 {
		t.Errorf("the answer to a ping used up %v", c.bucket.used)
	}
	pong()
	if c.bucket.used == 0 {
		t.Error("a pong that nobody asked for used up nothing")
	}
}

// What was sent at the rate, or nearly, while the network stalled.
func TestWhatANetworkDeliversAtOnceWaits(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const perSecond, burst, messages = 100, 5, 60
		s := serve(t, &Server{Redis: rdb, MaxRate: perSecond, MaxBurst: burst, Handlers: Handlers{OnMessage: echo}})
		s.current().began = time.Now().Add(-time.Hour) // which is no credit
		c := dialWire(t, s.URL, "")
		began := time.Now()
		for i := range messages {
			c.say(masked(aText, strconv.Itoa(i)))
		}
		for i := range messages {
			c.expect(wireFrame{aText, strconv.Itoa(i)})
		}
		if took, least := time.Since(began), (messages-burst)*time.Second/perSecond; took < least {
			t.Errorf("%d messages were handled within %v, want no less than %v", messages, took, least)
		}
	})
}

// The reader is waiting for the rate.
func TestAMessageThatWaitsHoldsNobodyUp(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		got := make(chan string, 10)
		s := serve(t, &Server{Redis: rdb, MaxRate: 0.05, MaxBurst: 1, PongTimeout: time.Minute, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery,
			OnMessage: Text(func(_ context.Context, text string) error { got <- text; return nil })}})
		ada, bob := dial(t, s.URL+"?user=ada"), dial(t, s.URL+"?user=bob")
		for range 3 {
			ada.say("x")
		}
		<-got // and the next has 20 s to wait
		bob.say("y")
		if text := <-got; text != "y" {
			t.Errorf("handled %q", text)
		}
		sendText(t, outside(rdb), To("ada"), "news")
		ada.expect("news")
		began := time.Now()
		s.stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("took %v to stop", took)
		}
		ada.expectClose(CloseRestart)
		if len(got) > 0 {
			t.Errorf("handled %q too", <-got)
		}
	})
}

func TestARateBelowThatOfHeartbeatsIsRefused(t *testing.T) {
	for _, s := range []*Server{
		{MaxRate: 0.03}, {MaxRate: 0.01, MaxBurst: 100}, {MaxRate: 0.9, PingInterval: time.Second},
		{MaxRate: math.NaN()}, {MaxRate: math.SmallestNonzeroFloat64},
	} {
		s.Redis = redistest.Embedded(t)
		err := s.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), "Server.MaxRate") || !strings.Contains(err.Error(), "Server.PingInterval") {
			t.Errorf("MaxRate %v, PingInterval %v: %v", s.MaxRate, s.PingInterval, err)
		}
	}
	for _, s := range []*Server{
		{MaxRate: 0.04}, {MaxRate: -1}, {MaxRate: math.Inf(1)}, {MaxRate: 1, PingInterval: time.Second}, {MaxRate: 1. / 3, PingInterval: 3 * time.Second},
	} {
		s.Redis = redistest.Embedded(t)
		serve(t, s)
	}
}

// The lowest rate that is not refused is enough for one who has nothing to say.
func TestAClientKeepsItsConnectionAtTheLowestRate(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxRate: 10, MaxBurst: 1, PingInterval: 100 * time.Millisecond, PongTimeout: time.Second})
		var wire countingConn
		c := &client.Client{URL: s.URL, Logger: quiet, Dialer: &websocket.Dialer{NetDial: func(network, addr string) (conn net.Conn, err error) {
			wire.Conn, err = net.Dial(network, addr)
			return &wire, err
		}}}
		c.OnDisconnected = func(_ context.Context, err error, _ time.Duration) { t.Errorf("disconnected: %v", err) }
		runClient(t, c)
		redistest.Eventually(t, patience, "it to have answered many times", func() bool { return wire.writes.Load() > 10 })
	})
}

// countingConn counts its writes.
type countingConn struct {
	net.Conn
	writes atomic.Int64
}

func (c *countingConn) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
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
