package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const patience = 20 * time.Second

// echo answers requests with their data, and sends other messages back as they
// came. It checks that none comes twice and that each sender's come in order.
type echo struct {
	t *testing.T
	// lifetime is how many messages a connection lasts at most; 0: for ever.
	lifetime int

	mu    sync.Mutex
	last  map[string]int // of each sender
	lives int
}

func (e *echo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	upgrade := websocket.Upgrader{Subprotocols: []string{protocol}}
	ws, err := upgrade.Upgrade(w, r, nil)
	if err != nil {
		e.t.Error(err)
		return
	}
	defer ws.Close()
	left := -1
	if e.lifetime > 0 {
		left = rand.N(e.lifetime)
	}
	e.mu.Lock()
	e.lives++
	e.mu.Unlock()
	for ; left != 0; left-- {
		_, data, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if err := ws.WriteMessage(websocket.TextMessage, e.answer(data)); err != nil {
			return
		}
	}
}

// answer is what a frame is answered with. Texts are a sender and a number.
func (e *echo) answer(data []byte) []byte {
	if strings.HasPrefix(string(data), `{"connect":`) {
		return []byte(`{"connected":{"connection":"c","heartbeat":25000,"timeout":10000}}`)
	}
	f, err := parse(false, data)
	if err != nil {
		e.t.Error(err)
	}
	var sender string
	var n int
	if _, err := fmt.Sscanf(string(f.data), "%s %d", &sender, &n); err != nil {
		e.t.Errorf("%s: %v", data, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := e.last[sender]; n <= last {
		e.t.Errorf("%s came after %d", data, last)
	}
	e.last[sender] = n
	return data
}

// TestOverTCP and TLS, with the default dialer's settings.
func TestOverTCP(t *testing.T) {
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			handler := &echo{t: t, last: map[string]int{}}
			server := httptest.NewUnstartedServer(handler)
			c := &Client{}
			if scheme == "wss" {
				server.StartTLS()
				dialer := *defaultDialer
				dialer.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
				dialer.TLSClientConfig.NextProtos = nil
				c.Dialer = &dialer
			} else {
				server.Start()
			}
			defer server.Close()
			_, address, _ := strings.Cut(server.URL, "://")
			c.URL = scheme + "://" + address
			got := make(chan string, 1)
			c.OnMessage = func(_ context.Context, m Message) error { got <- m.String(); return nil }
			r := start(t, c)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			long := "a 1 " + strings.Repeat("x", 200_000)
			m, err := r.Request(ctx, long)
			if err != nil || m.String() != long {
				t.Fatalf("reply of %d bytes, %v", len(m.Data), err)
			}
			must(t, r.Send(ctx, "a 2"))
			select {
			case m := <-got:
				if m != "a 2" {
					t.Fatalf("received %q", m)
				}
			case <-ctx.Done():
				t.Fatal("no echo")
			}
			r.stop()
		})
	}
}

// TestBrokenConnections is about many who send and request while the server
// hangs up every few messages: nothing arrives twice or out of order, and what
// has a reply has arrived.
func TestBrokenConnections(t *testing.T) {
	const senders, each = 8, 60
	handler := &echo{t: t, last: map[string]int{}, lifetime: 40}
	server := httptest.NewServer(handler)
	defer server.Close()
	r := start(t, &Client{
		URL: "ws" + strings.TrimPrefix(server.URL, "http"), Backoff: Backoff{First: time.Millisecond, Max: time.Millisecond},
		Logger: slog.New(slog.DiscardHandler), MaxBuffered: 400, OnMessage: func(context.Context, Message) error { return nil },
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var replies, uncertain, full atomic.Int64
	var work sync.WaitGroup
	for s := range senders {
		work.Go(func() {
			for n := 1; n <= each; n++ {
				text := fmt.Sprintf("%d %d", s, n)
				var err error
				if n%3 == 0 {
					var m Message
					if m, err = r.Request(ctx, text); err == nil {
						replies.Add(1)
						if m.String() != text {
							t.Errorf("the reply to %q is %q", text, m)
						}
					}
				} else {
					err = r.Send(ctx, text)
				}
				switch {
				case err == nil:
				case errors.Is(err, ErrUncertain):
					uncertain.Add(1)
				case errors.Is(err, ErrBufferFull):
					full.Add(1)
					time.Sleep(time.Millisecond) // while there is no connection
				default:
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	r.stop()
	t.Logf("%d connections, %d replies, %d uncertain, %d times full", handler.lives, replies.Load(), uncertain.Load(), full.Load())
	if handler.lives < 5 || replies.Load() == 0 {
		t.Fatal("the test has not tested much")
	}
}
