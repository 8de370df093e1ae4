package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// roam keeps a user connected to whatever server is the current one until ctx is
// cancelled, and then leaves with a goodbye.
func roam(t *testing.T, ctx context.Context, current *atomic.Pointer[running], user string, moved *atomic.Int64) {
	for ctx.Err() == nil {
		conn, err := dialQuietly(current.Load().URL + "?user=" + user)
		if err != nil {
			pause(ctx, 10*time.Millisecond)
			continue
		}
		moved.Add(1)
		stop := context.AfterFunc(ctx, func() {
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		})
		_, data, err := conn.ReadMessage()
		stop()
		conn.Close()
		if ctx.Err() == nil && !websocket.IsCloseError(err, CloseRestart) {
			t.Errorf("%s received %q, %v", user, data, err)
		}
	}
}

func TestARollingRestartIsNoTransition(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const users = 100
		start(t, "worker", rdb.Options().Addr)
		h := Handlers{OnConnect: byQuery, OnOnline: func(context.Context, string) error { return nil }}
		begin := func() *running { return serve(t, &Server{Redis: rdb, Handlers: h}) }
		var current atomic.Pointer[running]
		one := begin()
		current.Store(one)
		ctx, leave := context.WithCancel(context.Background())
		var all sync.WaitGroup
		var moved atomic.Int64
		for i := range users {
			all.Go(func() { roam(t, ctx, &current, fmt.Sprintf("user-%d", i), &moved) })
		}
		defer all.Wait()
		defer leave()
		arrived := func(n int64) {
			redistest.Eventually(t, 2*patience, fmt.Sprintf("%d connections", n), func() bool { return moved.Load() == n })
		}
		arrived(users)
		before := make([]string, users)
		for i := range before {
			before[i] = generation(t, rdb, fmt.Sprintf("user-%d", i))
		}
		// Twice a server goes when its successor has come.
		two := begin()
		current.Store(two)
		one.stop()
		arrived(2 * users)
		three := begin()
		current.Store(three)
		two.stop()
		arrived(3 * users)
		leasesLeft(t, rdb, 1) // the others were reaped
		for i := range before {
			if user := fmt.Sprintf("user-%d", i); generation(t, rdb, user) != before[i] || !online(t, outside(rdb), user) {
				t.Errorf("%s was offline", user)
			}
		}
		leave()
		all.Wait()
		for i := range users {
			user := fmt.Sprintf("user-%d", i)
			redistest.Eventually(t, 3*patience, "OnOffline of "+user, func() bool {
				return strings.HasSuffix(presenceRecord(t, rdb, user), "offline")
			})
			if record := presenceRecord(t, rdb, user); record != "online offline" {
				t.Errorf("%s: successful handlers %s", user, record)
			}
		}
	})
}

func TestTheNextProcessReleasesWhomAStoppedServerLeft(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const grace = 500 * time.Millisecond
		ctx, k := outside(rdb), newKeyspace("")
		s := serve(t, &Server{Redis: rdb, OfflineAfter: grace, Handlers: Handlers{OnConnect: byQuery}})
		dial(t, s.URL+"?user=ada")
		bob := dial(t, s.URL+"?user=bob")
		server := s.current().current.Load().server
		bob.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience))
		bob.ReadMessage() // returns when the server has closed
		s.stop()
		stopped := time.Now()
		if !online(t, ctx, "ada") || online(t, ctx, "bob") {
			t.Errorf("after the stop ada is online: %v, bob: %v", online(t, ctx, "ada"), online(t, ctx, "bob"))
		}
		if left := rdb.Keys(ctx, "*{s:*").Val(); !slices.Equal(left, []string{k.users(server)}) {
			t.Errorf("the server left %v", left)
		}
		if err := To("ada").Send(ctx, "while away"); err != nil {
			t.Fatal(err)
		}
		reaping, stop := context.WithCancel(context.Background())
		var reaper sync.WaitGroup
		reaper.Go(func() { _ = (&Reaper{Redis: rdb, Logger: quiet}).Run(reaping) })
		redistest.Eventually(t, patience, "ada to be offline", func() bool { return !online(t, ctx, "ada") })
		if took := time.Since(stopped); took < grace-100*time.Millisecond { // the stop takes a moment itself
			t.Errorf("offline %v after the stop", took)
		}
		leasesLeft(t, rdb, 0)
		stop()
		reaper.Wait()
		if left := rdb.Keys(ctx, "*{s:*").Val(); len(left) > 0 {
			t.Errorf("the reaper left %v", left)
		}
	})
}

// stopIn returns how long a server takes to stop.
func stopIn(s *running) time.Duration {
	began := time.Now()
	s.stop()
	return time.Since(began)
}

func TestAStopIsSpreadOverManyConnectionsOnly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for _, c := range []struct {
			connections int
			spread      time.Duration
			least, most time.Duration // until the last one was told
		}{
			{3, 0, 0, 500 * time.Millisecond},
			{300, 0, 250 * time.Millisecond, 10 * time.Second},
			{300, 100 * time.Millisecond, 80 * time.Millisecond, 10 * time.Second},
			{300, -1, 0, 10 * time.Second},
		} {
			s := serve(t, &Server{Redis: rdb, CloseSpread: c.spread})
			closed := make([]time.Duration, c.connections)
			var all sync.WaitGroup
			devices := make([]*device, c.connections)
			for i := range devices {
				devices[i] = dial(t, s.URL)
			}
			began := time.Now()
			for i, d := range devices {
				all.Go(func() {
					if _, _, err := d.ReadMessage(); !websocket.IsCloseError(err, CloseRestart) {
						t.Errorf("closed with %v", err)
					}
					closed[i] = time.Since(began)
				})
			}
			took := stopIn(s)
			all.Wait()
			first, last := slices.Min(closed), slices.Max(closed)
			t.Logf("%d connections, CloseSpread %v: closed after %v to %v, stopped after %v", c.connections, c.spread,
				first.Round(time.Millisecond), last.Round(time.Millisecond), took.Round(time.Millisecond))
			if last < c.least || last > c.most {
				t.Errorf("the last connection was closed after %v, want %v to %v", last, c.least, c.most)
			}
		}
	})
}

// silentClient opens a connection and then neither reads nor closes.
func silentClient(t *testing.T, s *running) {
	t.Helper()
	addr := strings.TrimPrefix(s.URL, "ws://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
}

func TestSilentClientsDoNotHoldUpAStop(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb})
		const clients = 20
		for range clients {
			silentClient(t, s)
		}
		redistest.Eventually(t, patience, "the connections", func() bool { return len(s.current().connections()) == clients })
		took := stopIn(s)
		t.Logf("stopped in %v", took.Round(10*time.Millisecond))
		if took < goodbyeTimeout || took > closeReply-time.Second {
			t.Errorf("the stop took %v, want little more than %v", took, goodbyeTimeout)
		}
	})
}

func TestHandlersInFlightFinishWhenTheServerStops(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		began, finish, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery, OnMessage: func(ctx context.Context, m *Message) error {
			close(began)
			<-finish
			result <- errors.Join(ctx.Err(), Send(ctx, "done"))
			return nil
		}}})
		h := s.current()
		dial(t, s.URL+"?user=ada").say("x")
		<-began
		stopped := make(chan struct{})
		go func() { defer close(stopped); s.stop() }()
		redistest.Eventually(t, patience, "the connection to end", func() bool { return len(h.connections()) == 0 })
		select {
		case <-stopped:
			t.Error("Run returned although a handler was running")
		default:
		}
		close(finish)
		<-stopped
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestHandlersThatTakeTooLongAreCancelledWhenTheServerStops(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		began, result := make(chan struct{}), make(chan error, 1)
		s := serve(t, &Server{Redis: rdb, Drain: 50 * time.Millisecond, Handlers: Handlers{Timeout: time.Hour,
			OnMessage: func(ctx context.Context, m *Message) error {
				close(began)
				<-ctx.Done()
				result <- context.Cause(ctx)
				return nil
			}}})
		dial(t, s.URL).say("x")
		<-began
		s.stop()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("the handler's context ended with %v", err)
		}
	})
}

func TestTheServerIsNotReadyBeforeItStops(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, ShutdownDelay: 2 * time.Second, Handlers: Handlers{OnMessage: Text(
			func(ctx context.Context, text string) error { return Send(ctx, text) })}})
		stopped := make(chan struct{})
		began := time.Now()
		go func() { defer close(stopped); s.stop() }()
		redistest.Eventually(t, patience, "not ready", func() bool { return !s.Ready() })
		d := dial(t, s.URL) // who was sent here a moment ago is welcome
		d.say("still there")
		d.expect("still there")
		d.expectClose(CloseRestart)
		<-stopped
		if took := time.Since(began); took < 2*time.Second {
			t.Errorf("it stopped after %v", took)
		}
	})
}
