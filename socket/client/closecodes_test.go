package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// TestNeverAgain is about codes after which the same would happen again.
func TestNeverAgain(t *testing.T) {
	for _, code := range []int{1000, 1002, 1003, 1007, 1009, 4400, 4401, 4499} {
		for _, accepted := range []bool{false, true} {
			t.Run(fmt.Sprint(code, " accepted ", accepted), func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *stage) {
					r := s.run(&Client{})
					p := s.next()
					p.expect(fresh)
					if accepted {
						p.say(`{"connected":{"connection":"c1"}}`)
					}
					p.close(code, "because")
					var closed *CloseError
					err := r.ended()
					if !errors.As(err, &closed) || *closed != (CloseError{code, "because"}) {
						t.Fatalf("Run: %v", err)
					}
					if got := errors.Is(err, ErrUnauthorized); got != (code == 4401) {
						t.Fatalf("errors.Is(%v, ErrUnauthorized) is %v", err, got)
					}
				})
			})
		}
	}
}

// waitAfter returns how long a client waits whose connection ended, after some
// failures, as end makes it.
func waitAfter(t *testing.T, failures int, b Backoff, end func(p *peer)) (wait time.Duration) {
	inBubble(t, func(t *testing.T, s *stage) {
		waits := make(chan time.Duration, 100)
		r := s.run(&Client{Backoff: b, OnDisconnected: func(_ context.Context, err error, wait time.Duration) {
			if failures--; failures < 0 {
				waits <- wait
			}
		}})
		for range failures {
			s.next().hangUp()
		}
		end(s.welcome(fresh, `{"connection":"c"}`))
		wait = eventually(t, waits, "OnDisconnected")
		began := time.Now()
		s.next()
		if waited := time.Since(began); waited != wait {
			t.Fatalf("waited %v and said %v", waited, wait)
		}
		r.stop()
	})
	return wait
}

func TestWhenToComeBack(t *testing.T) {
	const step = time.Second
	b := Backoff{First: step, Max: time.Minute}
	code := func(code int) func(*peer) {
		return func(p *peer) { p.close(code, "") }
	}
	for name, test := range map[string]struct {
		failures    int
		end         func(p *peer)
		least, most time.Duration
	}{
		"broken":               {0, (*peer).hangUp, 0, step},
		"broken again":         {3, (*peer).hangUp, 0, 8 * step},
		"going away":           {0, code(1001), 0, step},
		"internal error":       {3, code(1011), 0, 8 * step},
		"try later":            {3, code(1013), 0, 8 * step},
		"restart, no advice":   {0, code(1012), 0, step},
		"unknown":              {0, code(3999), 0, step},
		"missed":               {9, code(4000), 0, step},
		"too slow":             {9, code(4001), 0, step},
		"last of at once":      {9, code(4099), 0, step},
		"too many messages":    {0, code(4100), 5 * time.Second, 5*time.Second + step},
		"too many connections": {3, code(4101), 5 * time.Second, 5*time.Second + 8*step},
		"not authenticated":    {3, code(4102), 5 * time.Second, 5*time.Second + 8*step},
		"last of the limits":   {0, code(4199), 5 * time.Second, 5*time.Second + step},
		"restart with advice": {0, func(p *peer) {
			p.say(`{"reconnect":{"after":12500}}`)
			p.close(1012, "")
		}, 12500 * time.Millisecond, 12500*time.Millisecond + step},
		"broken after advice": {9, func(p *peer) {
			p.say(`{"reconnect":{"after":1500}}`)
			p.hangUp()
		}, 1500 * time.Millisecond, 1500*time.Millisecond + step},
		"settled": {9, func(p *peer) {
			time.Sleep(settled)
			p.hangUp()
		}, 0, step},
		"not settled": {5, func(p *peer) {
			time.Sleep(settled - time.Nanosecond)
			p.hangUp()
		}, 0, 32 * step},
	} {
		t.Run(name, func(t *testing.T) {
			var longest time.Duration
			for range 50 {
				wait := waitAfter(t, test.failures, b, test.end)
				if wait < test.least || wait >= test.most {
					t.Fatalf("waits %v, want from %v to %v", wait, test.least, test.most)
				}
				longest = max(longest, wait)
			}
			// Of 50 waits spread over the whole, hardly ever is none in its upper half.
			if half := (test.least + test.most) / 2; longest < half {
				t.Fatalf("of 50 waits the longest is %v, want more than %v", longest, half)
			}
		})
	}
}

// TestAdviceBeforeTheServerAccepts is followed as well.
func TestAdviceBeforeTheServerAccepts(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		waits := make(chan time.Duration, 1)
		r := s.run(&Client{OnDisconnected: func(_ context.Context, _ error, wait time.Duration) { waits <- wait }})
		p := s.next()
		p.expect(fresh)
		p.say(`{"reconnect":{"after":12500}}`)
		p.close(1012, "")
		const advice = 12500 * time.Millisecond
		if wait := eventually(t, waits, "OnDisconnected"); wait < advice || wait >= advice+DefaultBackoffFirst {
			t.Fatalf("waits %v, want %v and a bit", wait, advice)
		}
		r.stop()
	})
}

// TestServerThatEndsEveryConnection at once is not asked in a hurry for ever, with
// whatever code it does so.
func TestServerThatEndsEveryConnection(t *testing.T) {
	for name, end := range map[string]func(p *peer){
		"broken":         (*peer).hangUp,
		"missed":         func(p *peer) { p.close(4000, "") },
		"too slow":       func(p *peer) { p.close(4001, "") },
		"last of soon":   func(p *peer) { p.close(4099, "") },
		"too many":       func(p *peer) { p.close(4101, "") },
		"with an advice": func(p *peer) { p.say(`{"reconnect":{"after":1}}`); p.close(1012, "") },
	} {
		for _, accepted := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " accepted ", accepted), func(t *testing.T) {
				inBubble(t, func(t *testing.T, s *stage) {
					r := s.run(&Client{})
					attempts := 0
					for began := time.Now(); time.Since(began) < time.Hour; attempts++ {
						p := s.next()
						p.expect(fresh)
						if accepted {
							p.say(`{"connected":{"connection":"c"}}`)
						}
						end(p)
					}
					r.stop()
					// A wait is 10 s on average once it does not grow any more, or 15 s.
					if attempts < 150 || attempts > 600 {
						t.Fatalf("%d attempts in an hour", attempts)
					}
				})
			})
		}
	}
}

// TestRefusedCredentials are replaced, once.
func TestRefusedCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		credentials []string // what Auth returns
		attempts    int      // how often the client connects
	}{
		"the same again":   {[]string{"a", "a"}, 1},
		"others":           {[]string{"a", "b"}, 2},
		"others, not once": {[]string{"a", "b", "c"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				next := 0
				r := s.run(&Client{Auth: func(_ context.Context, refused error) (any, error) {
					if next++; (refused != nil) != (next > 1) || refused != nil && !errors.Is(refused, ErrUnauthorized) {
						t.Errorf("the call %d was told of the refusal %v", next, refused)
					}
					return test.credentials[next-1], nil
				}})
				for i := range test.attempts {
					p := s.next()
					p.expect(`{"connect":{},"text":"` + test.credentials[i] + `"}`)
					p.say(`{"error":"expired"}`)
					p.close(4401, "not authenticated")
				}
				err := r.ended()
				if !errors.Is(err, ErrUnauthorized) {
					t.Fatalf("Run: %v", err)
				}
				if want := "socket client: connection closed with code 4401: not authenticated: expired"; err.Error() != want {
					t.Fatalf("Run: %v, want %s", err, want)
				}
			})
		})
	}
	t.Run("accepted in between", func(t *testing.T) {
		inBubble(t, func(t *testing.T, s *stage) {
			fetched := 0
			r := s.run(&Client{Auth: func(context.Context, error) (any, error) { fetched++; return fetched, nil }})
			for i := range 3 {
				s.welcome(fmt.Sprintf(`{"connect":{},"data":%d}`, 2*i+1), `{"connection":"c"}`).close(4401, "expired")
				p := s.welcome(fmt.Sprintf(`{"connect":{},"data":%d}`, 2*i+2), `{"connection":"c"}`)
				p.hangUp()
			}
			s.next()
			r.stop()
		})
	})
}

func TestHTTPRefusals(t *testing.T) {
	answer := func(status int, header, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if header != "" {
				w.Header().Set("Retry-After", header)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	for _, status := range []int{401, 403} {
		inBubble(t, func(t *testing.T, s *stage) {
			s.refuse = answer(status, "", `{"error":"sign in first"}`)
			err := s.run(&Client{Auth: Credentials("x")}).ended()
			var refused *HTTPError
			if !errors.Is(err, ErrUnauthorized) || !errors.As(err, &refused) || *refused != (HTTPError{status, "sign in first"}) {
				t.Fatalf("Run: %v", err)
			}
		})
	}
	for name, test := range map[string]struct {
		status      int
		header      string
		least, most time.Duration
	}{
		"unavailable":              {503, "", 0, time.Second},
		"unavailable, with a date": {503, "Fri, 31 Dec 1999 23:59:59 GMT", 0, time.Second},
		"unavailable for a time":   {503, "20", 20 * time.Second, 21 * time.Second},
		"unavailable for an age":   {503, "99999999", time.Hour, time.Hour + time.Second},
		"too many":                 {429, "", 5 * time.Second, 6 * time.Second},
		"too many, soon":           {429, "1", 5 * time.Second, 6 * time.Second},
		"not found":                {404, "", 0, time.Second},
		"no upgrade":               {200, "", 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				s.refuse = answer(test.status, test.header, "not JSON")
				waits := make(chan time.Duration, 1)
				var refused *HTTPError
				r := s.run(&Client{Backoff: Backoff{First: time.Second}, OnDisconnected: func(_ context.Context, err error, wait time.Duration) {
					if !errors.As(err, &refused) || *refused != (HTTPError{test.status, ""}) {
						t.Errorf("OnDisconnected: %v", err)
					}
					waits <- wait
				}})
				if wait := eventually(t, waits, "OnDisconnected"); wait < test.least || wait >= test.most {
					t.Fatalf("waits %v, want from %v to %v", wait, test.least, test.most)
				}
				r.stop()
			})
		})
	}
}

// TestServerThatSendsTooMuch would send it again.
func TestServerThatSendsTooMuch(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{MaxMessage: 100})
		p := s.welcome(fresh, `{"connection":"c1"}`)
		p.say(fmt.Sprintf(`{"text":"%089d"}`, 7))
		go func() { _ = p.ws.WriteMessage(1, fmt.Appendf(nil, `{"text":"%090d"}`, 7)) }()
		if err := r.ended(); !errors.Is(err, ErrTooBig) {
			t.Fatalf("Run: %v", err)
		}
		p.expect("close 1009 (message too big)")
	})
}
