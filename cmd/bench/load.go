package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// loader opens connections and counts what arrives on them. It knows nothing
// of a protocol but its first frame and its heartbeat, so that it is the same
// work with every server.
type loader struct {
	dialer  dialer
	conns   int
	dials   int // at a time
	pong    string
	expect  int64
	timeout time.Duration
	quiet   time.Duration
	hold    time.Duration

	tally *tally

	mu     sync.Mutex
	open   []*websocket.Conn
	closed int64 // connections that ended by themselves
	why    error // the first of these did
}

// received is what a load generator found, as the JSON line that it prints.
type received struct {
	Received  int64   `json:"received"`
	Expected  int64   `json:"expected"`
	Closed    int64   `json:"closed"`        // connections
	Why       string  `json:"why,omitempty"` // the first of them
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Max       float64 `json:"max_ms"`
}

// readyLine begins the line that a load generator prints when its connections
// are open.
const readyLine = "READY"

// load opens connections, prints a line with "READY", and then, when the
// messages have arrived, one of JSON.
func load(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	l, err := parseLoad(args, stderr)
	if err != nil {
		return err
	}
	began := time.Now()
	running := sync.WaitGroup{}
	defer running.Wait()
	defer l.closeAll()
	failed := l.openAll(ctx, &running, stderr)
	fmt.Fprintf(stdout, "%s conns=%d failed=%d in=%.2fs\n", readyLine, l.conns-failed, failed, time.Since(began).Seconds())
	if l.hold > 0 {
		wait(ctx, l.hold)
		return nil
	}
	l.await(ctx)
	return json.NewEncoder(stdout).Encode(l.result())
}

func parseLoad(args []string, stderr io.Writer) (*loader, error) {
	l := &loader{}
	fs := newFlags("bench load", "Opens connections and measures what arrives on them.", stderr)
	fs.StringVar(&l.dialer.url, "url", "", "WebSocket `URL`, in which %d is the number of the user")
	fs.StringVar(&l.dialer.first, "first", "", "first `frame` to send, in which %d is the number of the user; its answer is awaited")
	fs.StringVar(&l.dialer.protocol, "protocol", "", "subprotocol that the server must speak")
	fs.StringVar(&l.pong, "pong", "", "`frame` that answers a heartbeat, which is a message of at most two bytes")
	fs.IntVar(&l.conns, "conns", 1000, "connections")
	fs.IntVar(&l.dialer.perUser, "per-user", 1, "connections of each user")
	fs.IntVar(&l.dials, "dialers", 64, "connections to open at a time")
	fs.Int64Var(&l.expect, "expect", 0, "messages to wait for, on all connections together")
	fs.DurationVar(&l.timeout, "timeout", time.Minute, "how long to wait for them")
	fs.DurationVar(&l.quiet, "quiet", 10*time.Second, "how long to wait for the next one")
	fs.DurationVar(&l.hold, "hold", 0, "keep the connections open so long and count nothing")
	if err := parse(fs, args); err != nil {
		return nil, err
	}
	if l.dialer.url == "" || l.dialer.perUser < 1 || l.conns < 1 || l.dials < 1 {
		return nil, errors.New("-url is required, and -conns, -per-user and -dialers are at least 1")
	}
	l.tally = newTally(l.expect)
	return l, nil
}

// openAll opens the connections and reads from each. It returns how many
// could not be opened; of the first few it tells why.
func (l *loader) openAll(ctx context.Context, running *sync.WaitGroup, stderr io.Writer) int {
	failed := 0
	var dialing sync.WaitGroup
	numbers := make(chan int)
	for range min(l.dials, l.conns) {
		dialing.Go(func() {
			for i := range numbers {
				conn, err := l.dialer.dial(ctx, i)
				l.mu.Lock()
				if err == nil {
					l.open = append(l.open, conn)
					running.Go(func() { l.receive(conn) })
				} else if failed++; failed <= 3 {
					fmt.Fprintf(stderr, "open connection %d: %v\n", i, err)
				}
				l.mu.Unlock()
			}
		})
	}
	for i := range l.conns {
		numbers <- i
	}
	close(numbers)
	dialing.Wait()
	return failed
}

// receive counts the messages of a connection until it ends.
func (l *loader) receive(conn *websocket.Conn) {
	var frame []byte
	for {
		_, r, err := conn.NextReader()
		if err == nil {
			frame, err = readAll(r, frame[:0])
		}
		if err != nil {
			l.ended(err)
			return
		}
		if l.pong != "" && len(frame) <= 2 {
			// When it fails, so does the next read.
			_ = conn.WriteMessage(websocket.TextMessage, []byte(l.pong))
			continue
		}
		l.tally.count(frame, time.Now().UnixNano())
	}
}

func (l *loader) ended(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed++; l.why == nil {
		l.why = err
	}
}

// readAll appends what r has to a buffer that is used again and again, or the
// load generator would need more of the machine than what it measures.
func readAll(r io.Reader, b []byte) ([]byte, error) {
	for {
		b = slices.Grow(b, 256)
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
}

// grace is how long messages that are too many have to show up.
const grace = 100 * time.Millisecond

// await returns when everything has arrived, when nothing does any more, or
// when it took too long.
func (l *loader) await(ctx context.Context) {
	deadline := time.Now().Add(l.timeout)
	for ctx.Err() == nil {
		wait(ctx, grace)
		now := time.Now()
		last := l.tally.lastArrival()
		switch {
		case l.tally.messages() >= l.expect && now.Sub(last) >= grace:
			return
		case !last.IsZero() && now.Sub(last) > l.quiet, now.After(deadline):
			return
		}
	}
}

func (l *loader) result() received {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.tally.result()
	r.Expected, r.Closed = l.expect, l.closed
	if l.why != nil {
		r.Why = l.why.Error()
	}
	return r
}

func (l *loader) closeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.open {
		_ = conn.Close() // nothing is to be done about an error
	}
}

// wait waits for d or until ctx is done.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
