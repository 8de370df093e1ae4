package socket

import (
	"context"
	"encoding/binary"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestAStalledReaderSlowsNobody(t *testing.T) {
	stall(t, 100, time.Second)
}

// stall has many clients, of whom one stops to read, and compares the delay of
// the others' messages before and after.
func stall(t *testing.T, clients int, d time.Duration) {
	const maxQueued = 4 << 20
	rdb := redistest.Real(t).Client(t)
	s := serve(t, &Server{Redis: rdb, MaxQueued: maxQueued, WriteTimeout: time.Hour, PongTimeout: time.Hour,
		Handlers: Handlers{OnConnect: byQuery}, Logger: quiet})
	listeners := newAudience(t, s, clients)
	stalled := dial(t, s.URL+"?user=stalled")
	var reading sync.WaitGroup
	stop := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if _, _, err := stalled.ReadMessage(); err != nil {
				return
			}
		}
	})
	before := listeners.run(t, s, d)
	used := heap()
	close(stop)
	if err := To("stalled").Send(listeners.ctx, "wake up, to stop"); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	ballast := make([]byte, 64<<10)
	redistest.Eventually(t, patience, "the socket to be full, however large the system makes it", func() bool {
		if err := To("stalled").Send(listeners.ctx, ballast); err != nil {
			t.Fatal(err)
		}
		return queued(s) > maxQueued/8
	})
	// What else the machine does delays some of the time, a stalled client would
	// always.
	after := listeners.run(t, s, d)
	limit := 2*quantile(before, .99) + 5*time.Millisecond
	for range 4 {
		if quantile(after, .99) > limit {
			after = listeners.run(t, s, d)
		}
	}
	if n := queued(s); n == 0 || n > maxQueued {
		t.Errorf("%d bytes are queued for a client that has stalled, want some and at most %d", n, maxQueued)
	}
	if grown := heap() - used; grown > 2*maxQueued {
		t.Errorf("the heap has grown by %d bytes for a queue of at most %d", grown, maxQueued)
	}
	t.Logf("p50 and p99 of %d messages: %v and %v before, %v and %v after", len(before),
		quantile(before, .5), quantile(before, .99), quantile(after, .5), quantile(after, .99))
	if p99 := quantile(after, .99); p99 > limit {
		t.Errorf("the others' p99 is %v, want at most %v", p99, limit)
	}
	redistest.Eventually(t, patience, "the one that has stalled to be closed", func() bool {
		if err := To("stalled").Send(listeners.ctx, ballast); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(s.hub.Load().connections(), (*connection).isClosing)
	})
	if n := queued(s); n > 128<<10 {
		t.Errorf("%d bytes are queued for a client that was given up, want what was begun", n)
	}
}

// listeners is many clients, one user each, that note how long messages take.
type listeners struct {
	ctx   context.Context
	users []string

	mu     sync.Mutex
	delays []time.Duration
}

func newAudience(t *testing.T, s *running, clients int) *listeners {
	a := &listeners{ctx: outside(s.Redis)}
	for i := range clients {
		user := "user-" + strconv.Itoa(i)
		a.users = append(a.users, user)
		conn := dial(t, s.URL+"?user="+user)
		var reading sync.WaitGroup
		reading.Go(func() { a.listen(conn.Conn) })
		t.Cleanup(func() { // after which the connection is closed
			conn.Close()
			reading.Wait()
		})
	}
	return a
}

// listen notes the delay of messages that begin with the time of sending.
func (a *listeners) listen(conn *websocket.Conn) {
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		delay := time.Since(time.Unix(0, int64(binary.BigEndian.Uint64(data))))
		a.mu.Lock()
		a.delays = append(a.delays, delay)
		a.mu.Unlock()
	}
}

// run sends to everybody, the stalled one included, for so long, and returns the
// delays, sorted.
func (a *listeners) run(t *testing.T, s *running, d time.Duration) []time.Duration {
	t.Helper()
	a.delays = nil
	sent := 0
	for began := time.Now(); time.Since(began) < d; {
		for some := range slices.Chunk(a.users, MaxRecipients-1) {
			data := binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))
			if err := To(append([]string{"stalled"}, some...)...).Send(a.ctx, append(data, make([]byte, 92)...)); err != nil {
				t.Fatal(err)
			}
			sent += len(some)
			pause(t.Context(), 10*time.Millisecond)
		}
	}
	redistest.Eventually(t, patience, "everything to arrive", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.delays) == sent
	})
	slices.Sort(a.delays)
	return a.delays
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))]
}

// queued is what waits to be written to all connections.
func queued(s *running) (bytes int) {
	for _, c := range s.hub.Load().connections() {
		c.mu.Lock()
		bytes += c.out.size
		c.mu.Unlock()
	}
	return bytes
}

func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
