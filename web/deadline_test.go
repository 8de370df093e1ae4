package web_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuerun/queuerun/web"
)

// pipes is a listener whose connections are in memory, where the time of synctest
// counts.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// inMemory runs the server for the length of body, in the time of synctest.
func inMemory(t *testing.T, s *web.Server, body func(dial func() net.Conn)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{make(chan net.Conn), make(chan struct{})}
		s.Listener, s.Logger = p, slog.New(slog.DiscardHandler)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		body(p.dial)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// half is a request of which the client sends no more than the first byte of the body.
func half(path string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
}

// held is how long the server holds the connection of a client that sends this and then
// only listens, and what it answers.
func held(t *testing.T, conn net.Conn, request string) (time.Duration, string) {
	t.Helper()
	began := time.Now()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return time.Since(began), string(answer)
}

// Nobody holds a connection with a body that does not come, whatever is answered.
func TestBodiesOfTheServersOwnPathsHaveADeadline(t *testing.T) {
	unread := named("a handler that reads no body")
	reads := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		fmt.Fprint(w, err)
	})
	for name, s := range map[string]*web.Server{
		"unread": {Socket: unread, Dashboard: unread, Metrics: unread, BodyTimeout: -1},
		"read":   {Socket: reads, Dashboard: reads, Metrics: reads, BodyTimeout: -1},
		"absent": {BodyTimeout: -1},
		"closed": {Dashboard: &web.Dashboard{}, Metrics: &web.Metrics{Access: &web.Access{}}},
		"hosts":  {Hosts: []string{"localhost"}},
	} {
		inMemory(t, s, func(dial func() net.Conn) {
			for _, path := range []string{"/socket", "/queuerun.js", "/monitoring", "/monitoring/api/queues/a:pause", "/metrics", "/healthz", "/readyz"} {
				request := half(path)
				if name == "hosts" {
					request = strings.Replace(request, "localhost", "evil.example", 1)
				}
				took, answer := held(t, dial(), request)
				if took < 10*time.Second || took > 11*time.Second || !strings.HasPrefix(answer, "HTTP/1.1 ") {
					t.Errorf("%s: %s: held for %v, answered %q", name, path, took, answer)
				}
				// Chunks that trickle in are not a reason to wait longer.
				conn := dial()
				var sending sync.WaitGroup
				sending.Go(func() {
					io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
					for {
						if _, err := io.WriteString(conn, "1\r\nx\r\n"); err != nil {
							return
						}
						time.Sleep(3 * time.Second)
					}
				})
				began := time.Now()
				io.Copy(io.Discard, conn)
				if took := time.Since(began); took > 16*time.Second {
					t.Errorf("%s: %s: trickled for %v", name, path, took)
				}
				conn.Close()
				sending.Wait()
			}
		})
	}
}

// A client that takes no answer does not hold a connection either.
func TestAnswersOfTheServersOwnPathsHaveADeadline(t *testing.T) {
	large := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, strings.Repeat("x", 1<<20)) })
	inMemory(t, &web.Server{Dashboard: large, Metrics: large}, func(dial func() net.Conn) {
		for _, path := range []string{"/queuerun.js", "/monitoring", "/metrics", "/healthz"} {
			conn := dial()
			began := time.Now()
			io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
			time.Sleep(3 * time.Minute)
			if _, err := io.ReadAll(conn); err != nil {
				t.Error(err)
			}
			if time.Since(began) != 3*time.Minute {
				t.Errorf("%s: the connection was open until %v", path, time.Since(began))
			}
		}
	})
}

// The program's own handler waits for each piece of a body, for as long as it or the
// Server says.
func TestTimeoutBetweenThePiecesOfABody(t *testing.T) {
	results := make(chan error, 1)
	reads := func(before func(http.ResponseWriter)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			before(w)
			_, err := io.ReadAll(r.Body)
			results <- err
		})
	}
	nothing := func(http.ResponseWriter) {}
	until := func(d time.Duration) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(d)); err != nil {
				t.Error(err)
			}
		}
	}
	never := func(w http.ResponseWriter) { http.NewResponseController(w).SetReadDeadline(time.Time{}) }
	for _, test := range []struct {
		name     string
		timeout  time.Duration
		before   func(http.ResponseWriter)
		pause    time.Duration // between two bytes, of 100
		deadline time.Duration // when reading fails; 0: it does not
	}{
		{"the default", 0, nothing, 29 * time.Second, 0},
		{"the default", 0, nothing, 31 * time.Second, 30 * time.Second},
		{"shorter", time.Second, nothing, 900 * time.Millisecond, 0},
		{"shorter", time.Second, nothing, 2 * time.Second, time.Second},
		{"none", -1, nothing, time.Hour, 0},
		{"the handler's, in all", 0, until(time.Minute), 25 * time.Second, time.Minute},
		{"the handler's, longer", 0, until(2 * time.Hour), time.Minute, 0},
		{"the handler's: none", 0, never, time.Hour, 0},
		{"after much work", 0, func(http.ResponseWriter) { time.Sleep(time.Hour) }, 29 * time.Second, 0},
	} {
		inMemory(t, &web.Server{App: reads(test.before), BodyTimeout: test.timeout}, func(dial func() net.Conn) {
			results = make(chan error, 1)
			conn := dial()
			defer conn.Close()
			began := time.Now()
			var sending sync.WaitGroup
			sending.Go(func() {
				io.WriteString(conn, half("/"))
				for range 99 {
					time.Sleep(test.pause)
					if _, err := io.WriteString(conn, "x"); err != nil {
						return
					}
				}
			})
			sending.Go(func() { io.Copy(io.Discard, conn) })
			err, took := <-results, time.Since(began)
			if test.deadline == 0 && err != nil || test.deadline != 0 && (!errors.Is(err, os.ErrDeadlineExceeded) || took != test.deadline) {
				t.Errorf("%s, pauses of %v: after %v: %v", test.name, test.pause, took, err)
			}
			conn.Close()
			sending.Wait()
		})
	}
}

// A handler that reads no body does not hold the connection for longer than a piece.
func TestABodyThatTheProgramLeavesHasADeadline(t *testing.T) {
	inMemory(t, &web.Server{App: named("app")}, func(dial func() net.Conn) {
		if took, answer := held(t, dial(), half("/")); took < 30*time.Second || took > 31*time.Second || !strings.Contains(answer, "app /") {
			t.Errorf("held for %v, answered %q", took, answer)
		}
	})
}

// Deadlines are those of the body: what a handler does without one, or after it, may
// take any time, and so may the next request.
func TestHandlersThatWorkLongAreLeftAlone(t *testing.T) {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if more, again := r.Body.Read(make([]byte, 1)); more != 0 || again != io.EOF {
			t.Errorf("after the end: %d, %v", more, again)
		}
		for range 60 {
			time.Sleep(time.Minute)
			if _, err := io.WriteString(w, "."); err != nil {
				t.Error(err)
			}
			http.NewResponseController(w).Flush()
		}
		fmt.Fprintf(w, "%s %v %v", body, err, r.Context().Err())
	})
	inMemory(t, &web.Server{App: app}, func(dial func() net.Conn) {
		conn := dial()
		defer conn.Close()
		answers := bufio.NewReader(conn)
		for _, request := range []string{
			"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
			"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
			"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
			"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody",
			"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		} {
			if _, err := io.WriteString(conn, request); err != nil {
				t.Fatalf("%q: %v", request, err)
			}
			res, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatalf("%q: %v", request, err)
			}
			body, err := io.ReadAll(res.Body)
			if !strings.Contains(request, "healthz") && (err != nil || !strings.HasSuffix(string(body), " <nil> <nil>")) {
				t.Errorf("%q: answered %q, %v", request, body, err)
			}
		}
	})
}
