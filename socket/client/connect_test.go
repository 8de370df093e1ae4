package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestConnectAfresh(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		sessions := make(chan Session, 1)
		c := s.run(&Client{
			Header:      http.Header{"Cookie": {"session=1"}},
			OnConnected: func(_ context.Context, session Session) { sessions <- session },
		})
		p := s.next()
		if got := p.request.Header.Get("Cookie"); got != "session=1" {
			t.Fatalf("cookie %q", got)
		}
		if got := p.request.Header.Get("Sec-Websocket-Protocol"); got != "queuerun.v1" {
			t.Fatalf("protocol %q", got)
		}
		p.expect(fresh)
		if got := c.State(); got != Connecting {
			t.Fatalf("state %v before the server accepts", got)
		}
		p.say(`{"connected":{"connection":"c1","user":"ada","at":{"":"u1","*":"b1","#room":"r1"},"heartbeat":25000,"timeout":10000,"maxMessage":65536}}`)
		want := Session{Connection: "c1", User: "ada", Channels: []string{"", "#room", "*"}}
		if got := eventually(t, sessions, "OnConnected"); !reflect.DeepEqual(got, want) {
			t.Fatalf("session %+v, want %+v", got, want)
		}
		if got := c.State(); got != Connected {
			t.Fatalf("state %v after the server accepted", got)
		}
		if got := c.Positions(); !reflect.DeepEqual(got, map[string]string{"": "u1", "*": "b1", "#room": "r1"}) {
			t.Fatalf("positions %v", got)
		}
		c.stop()
		p.expect("close 1000 (normal)")
	})
}

func TestCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		auth func(context.Context, error) (any, error)
		want string
	}{
		"text":  {Credentials("secret \"1\""), `{"connect":{},"text":"secret \"1\""}`},
		"value": {Credentials(map[string]string{"token": "t"}), `{"connect":{},"data":{"token":"t"}}`},
		"none":  {Credentials(nil), fresh},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				s.run(&Client{Auth: test.auth})
				s.next().expect(test.want)
			})
		})
	}
}

func TestCredentialsAreFetchedForEachAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		fetched := 0
		s.run(&Client{Auth: func(context.Context, error) (any, error) {
			fetched++
			if fetched == 2 {
				return nil, errors.New("the issuer is away")
			}
			return fmt.Sprint("token ", fetched), nil
		}})
		p := s.welcome(`{"connect":{},"text":"token 1"}`, `{"connection":"c1"}`)
		p.hangUp()
		s.welcome(`{"connect":{},"text":"token 3"}`, `{"connection":"c2"}`)
	})
}

func TestAuthMayGiveUp(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := s.run(&Client{Auth: func(context.Context, error) (any, error) {
			return nil, fmt.Errorf("signed out: %w", ErrUnauthorized)
		}})
		if err := c.ended(); !errors.Is(err, ErrUnauthorized) {
			t.Fatalf("Run: %v", err)
		}
	})
}

func TestRunRefusesWhatCannotWork(t *testing.T) {
	for _, url := range []string{"", "/socket", "ftp://example.com", "ws:///socket", "ws://%zz", "ws://user@example.com"} {
		if err := (&Client{URL: url}).Run(t.Context()); err == nil {
			t.Errorf("Run with the URL %q returned nil", url)
		}
	}
	inBubble(t, func(t *testing.T, s *stage) {
		c := s.run(&Client{Auth: Credentials([]byte("raw")), Backoff: Backoff{First: time.Minute}})
		time.Sleep(time.Second)
		if got := c.State(); got != Waiting {
			t.Fatalf("state %v with credentials that are bytes", got)
		}
		if err := c.Run(t.Context()); err == nil {
			t.Fatal("a second Run returned nil")
		}
		c.stop()
	})
}

// TestAttemptsEnd is about servers that do not answer, at each step.
func TestAttemptsEnd(t *testing.T) {
	const limit = 7 * time.Second
	for name, play := range map[string]func(*stage){
		"no HTTP response": func(*stage) {},
		"not accepted":     func(s *stage) { s.next().expect(fresh) },
		"credentials":      func(*stage) {},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				lost := make(chan error, 1)
				c := &Client{
					ConnectTimeout: limit,
					OnDisconnected: func(_ context.Context, err error, _ time.Duration) { lost <- err },
					Backoff:        Backoff{First: 24 * time.Hour, Max: 24 * time.Hour},
				}
				if name == "credentials" {
					c.Auth = func(ctx context.Context, _ error) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
				}
				s.silent = name == "no HTTP response"
				began := time.Now()
				r := s.run(c)
				play(s)
				var late net.Error // of the context or of the connection
				if err := eventually(t, lost, "OnDisconnected"); !errors.As(err, &late) || !late.Timeout() {
					t.Fatalf("the attempt failed: %v", err)
				}
				if took := time.Since(began); took != limit {
					t.Fatalf("the attempt ended after %v, want %v", took, limit)
				}
				r.stop()
			})
		})
		t.Run(name+", cancelled", func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				c := &Client{}
				if name == "credentials" {
					c.Auth = func(ctx context.Context, _ error) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
				}
				s.silent = name == "no HTTP response"
				r := s.run(c)
				play(s)
				began := time.Now()
				synctest.Wait()
				r.stop()
				if took := time.Since(began); took != 0 {
					t.Fatalf("Run returned %v after it was cancelled", took)
				}
			})
		})
	}
}

func TestServerWithoutTheProtocol(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.upgrade.Subprotocols = nil
		c := s.run(&Client{})
		s.next()
		if err := c.ended(); !errors.Is(err, ErrNoProtocol) {
			t.Fatalf("Run: %v", err)
		}
	})
}

// TestBeforeTheServerAccepts it may talk with the client, whose answers wait.
func TestBeforeTheServerAccepts(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		story := newStory(c)
		c.OnMessage = func(ctx context.Context, m Message) error {
			story.tell("message %s", m)
			must(t, c.Send(ctx, "answer to "+m.String()))
			if m.Position != "" {
				return errors.New("no")
			}
			return nil
		}
		s.run(c)
		p := s.next()
		p.expect(fresh)
		p.say(`{}`)
		p.expect(`{}`)
		p.say(`{"text":"hello"}`)
		p.silent()
		p.say(`{"connected":{"connection":"c1"}}`)
		p.expect(`{"text":"answer to hello"}`)
		story.expect(t, "message hello", "connected [] recovered=false")
		p.hangUp()
		p = s.next()
		p.expect(fresh)
		p.say(`{"text":"and again","at":"p1"}`)
		p.expect("close 4900")
	})
}

// TestDialers of all kinds are watched, so that cancelling ends their attempt.
func TestDialers(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		plain := func(network, addr string) (net.Conn, error) { return s.dial(t.Context(), network, addr) }
		began := time.Now()
		for name, dialer := range map[string]*websocket.Dialer{
			"NetDial":           {NetDial: plain},
			"NetDialContext":    {NetDialContext: s.dial},
			"NetDialTLSContext": {NetDialTLSContext: s.dial},
		} {
			c := &Client{URL: "https://stage/socket", Dialer: dialer}
			if name != "NetDialTLSContext" {
				c.URL = "http://stage/socket"
			}
			r := start(t, c)
			s.welcome(fresh, `{"connection":"c1"}`).expectEnd(r)
			s.silent = true
			r = start(t, c)
			synctest.Wait()
			r.stop() // at once
			s.silent = false
		}
		if took := time.Since(began); took != 0 {
			t.Fatalf("it took %v", took)
		}
		lost := make(chan error, 1)
		r := start(t, &Client{
			URL: "ws://stage", Backoff: Backoff{First: time.Hour, Max: time.Hour},
			Dialer: &websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("no route")
			}},
			OnDisconnected: func(_ context.Context, err error, _ time.Duration) { lost <- err },
		})
		if err := eventually(t, lost, "OnDisconnected"); err.Error() != "socket client: connect: no route" {
			t.Fatal(err)
		}
		r.stop()
	})
}

// expectEnd stops the client and sees it leave.
func (p *peer) expectEnd(r *running) {
	p.t.Helper()
	synctest.Wait() // until it is connected
	r.stop()
	p.expect("close 1000 (normal)")
}

// TestLogHoldsNoSecrets that the URL may hold.
func TestLogHoldsNoSecrets(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		var log bytes.Buffer
		r := start(t, &Client{
			URL: "ws://stage/socket?token=secret", Dialer: s.dialer(), Resume: map[string]string{"": "p1"},
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		p := s.welcome(`{"connect":{"at":{"":"p1"}}}`, `{"at":{"":"p9"},"recovered":false,"lost":[""]}`)
		if got := p.request.URL.String(); got != "/socket?token=secret" {
			t.Fatalf("the request was for %s", got)
		}
		p.say(`{"error":"bad order"}`)
		p.hangUp()
		s.next()
		r.stop()
		if log.Len() == 0 || bytes.Contains(log.Bytes(), []byte("secret")) {
			t.Fatalf("the log is %s", &log)
		}
		for _, want := range []string{"messages were lost", "bad order", "host=stage"} {
			if !bytes.Contains(log.Bytes(), []byte(want)) {
				t.Fatalf("the log does not tell %q: %s", want, &log)
			}
		}
	})
}

func TestStatesHaveNames(t *testing.T) {
	for state, want := range map[State]string{
		Stopped: "stopped", Connecting: "connecting", Connected: "connected", Waiting: "waiting", 99: "unknown",
	} {
		if got := state.String(); got != want {
			t.Errorf("state %d is %q, want %q", int(state), got, want)
		}
	}
}
