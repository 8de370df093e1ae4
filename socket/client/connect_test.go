package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
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
		auth func(context.Context) (any, error)
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
		s.run(&Client{Auth: func(context.Context) (any, error) {
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
		c := s.run(&Client{Auth: func(context.Context) (any, error) {
			return nil, fmt.Errorf("signed out: %w", ErrUnauthorized)
		}})
		if err := c.ended(); !errors.Is(err, ErrUnauthorized) {
			t.Fatalf("Run: %v", err)
		}
	})
}

func TestRunRefusesWhatCannotWork(t *testing.T) {
	for _, url := range []string{"", "http://example.com", "ws:///socket", "ws://%zz"} {
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
		"no HTTP response": func(s *stage) { <-s.dials },
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
					c.Auth = func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
				}
				began := time.Now()
				r := s.run(c)
				play(s)
				t.Log(eventually(t, lost, "OnDisconnected"))
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
					c.Auth = func(ctx context.Context) (any, error) { <-ctx.Done(); return nil, ctx.Err() }
				}
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
