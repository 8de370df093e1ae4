package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// A server whose answer to the handshake does not end is not read for ever.
func TestEndlessHandshakes(t *testing.T) {
	for name, answer := range map[string][2]string{
		"many headers":       {"HTTP/1.1 101 Switching Protocols\r\n", "X-Header: value\r\n"},
		"a long header":      {"HTTP/1.1 101 Switching Protocols\r\nX-Header: ", "valuevaluevalue"},
		"a long status line": {"HTTP/1.1 101 ", "SwitchingProtocols"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var taken atomic.Int64
				lost := make(chan error, 1)
				start(t, &Client{
					URL: "ws://stage/socket",
					Dialer: &websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
						ours, theirs := net.Pipe()
						go func() {
							if _, err := http.ReadRequest(bufio.NewReader(theirs)); err != nil {
								return
							}
							n, err := io.WriteString(theirs, answer[0])
							for taken.Add(int64(n)); err == nil; taken.Add(int64(n)) {
								n, err = io.WriteString(theirs, strings.Repeat(answer[1], 100))
							}
						}()
						return ours, nil
					}},
					OnDisconnected: func(_ context.Context, err error, _ time.Duration) {
						select {
						case lost <- err:
						default:
						}
					},
					Backoff: Backoff{First: time.Hour, Max: time.Hour},
				})
				if err := eventually(t, lost, "OnDisconnected"); !errors.Is(err, errHandshake) {
					t.Errorf("lost with %v, want %v", err, errHandshake)
				}
				synctest.Wait()
				if n := taken.Load(); n > maxHandshake {
					t.Errorf("%d bytes of the answer were read, want at most %d", n, maxHandshake)
				}
			})
		})
	}
}

// What comes after the handshake has limits of its own.
func TestTheLimitOfTheHandshakeEndsWithIt(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		got := make(chan int, 1)
		s.run(&Client{OnMessage: func(_ context.Context, m Message) error { got <- len(m.String()); return nil }})
		p := s.welcome(fresh, `{}`)
		for range 3 {
			p.say(`{"text":"` + strings.Repeat("x", maxHandshake/2) + `"}`)
			if n := eventually(t, got, "a message"); n != maxHandshake/2 {
				t.Fatalf("received %d bytes", n)
			}
		}
	})
}

// NetDial knows no context, and may hang.
func TestAHangingNetDialIsAbandoned(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		var running, most atomic.Int64
		release, closed := make(chan struct{}), make(chan struct{})
		lost := make(chan error, 10)
		began := time.Now()
		c := &Client{
			URL: "ws://stage/socket",
			Dialer: &websocket.Dialer{NetDial: func(network, addr string) (net.Conn, error) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				select {
				case <-release:
				default:
					<-release
					return unwanted{closed: closed}, nil
				}
				return s.dial(context.Background(), network, addr)
			}},
			OnDisconnected: func(_ context.Context, err error, _ time.Duration) { lost <- err },
		}
		r := start(t, c)
		for range 3 {
			if err := eventually(t, lost, "OnDisconnected"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("lost with %v, want %v", err, context.DeadlineExceeded)
			}
		}
		if took, least := time.Since(began), 3*DefaultConnectTimeout; took < least || took > least+2*DefaultBackoffMax {
			t.Errorf("three attempts took %v, want %v and the waits between", took, least)
		}
		if n := most.Load(); n != 1 {
			t.Errorf("NetDial was running %d times at once", n)
		}
		close(release)
		<-closed // the connection that came too late
		s.welcome(fresh, `{}`)
		r.stop()
	})
}

// TestStopWhileNetDialHangs returns at once.
func TestStopWhileNetDialHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called, release := make(chan struct{}), make(chan struct{})
		r := start(t, &Client{URL: "ws://stage/socket", Dialer: &websocket.Dialer{NetDial: func(string, string) (net.Conn, error) {
			close(called)
			<-release
			return nil, errors.New("too late")
		}}})
		<-called
		began := time.Now()
		r.stop()
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v to stop", took)
		}
		close(release)
	})
}

// unwanted is a connection that tells that it was closed.
type unwanted struct {
	net.Conn
	closed chan struct{}
}

func (c unwanted) Close() error { close(c.closed); return nil }
