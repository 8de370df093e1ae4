package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asked is a request that waits in a goroutine.
type asked struct {
	message Message
	err     error
}

func (r *running) ask(ctx context.Context, v any) <-chan asked {
	result := make(chan asked, 1)
	go func() {
		m, err := r.Request(ctx, v)
		result <- asked{m, err}
	}()
	return result
}

func TestRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{})
		p := s.welcome(fresh, `{"connection":"c1"}`)
		first := r.ask(t.Context(), map[string]int{"n": 1})
		p.expect(`{"id":1,"data":{"n":1}}`)
		second := r.ask(t.Context(), "text")
		p.expect(`{"id":2,"text":"text"}`)
		third := r.ask(t.Context(), []byte("\x00\xff"))
		p.expect("b:{\"id\":3}\n\x00\xff")
		fourth := r.ask(t.Context(), nil)
		p.expect(`{"id":4,"data":null}`)

		p.sayBinary("{\"id\":3}\nbytes") // in another order
		p.say(`{"id":2,"error":"not \"you\""}`)
		p.say(`{"id":4}`)
		p.say(`{"id":99,"data":"nobody asked"}`)
		p.say(`{"id":1,"data":{"n":2}}`)
		if a := <-first; a.err != nil || a.message.Kind != JSON || a.message.String() != `{"n":2}` {
			t.Fatalf("first: %+v", a)
		}
		var told *ServerError
		if a := <-second; !errors.As(a.err, &told) || told.Reason != `not "you"` {
			t.Fatalf("second: %+v", a)
		}
		if a := <-third; a.err != nil || a.message.Kind != Binary || a.message.String() != "bytes" {
			t.Fatalf("third: %+v", a)
		}
		if a := <-fourth; a.err != nil || a.message.Kind != None || a.message.Data != nil {
			t.Fatalf("fourth: %+v", a)
		}
	})
}

// TestRequestTimesOut once with its context's deadline and once with the
// client's, and a reply that comes later is nobody's.
func TestRequestTimesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{RequestTimeout: 3 * time.Second})
		p := s.welcome(fresh, `{"connection":"c1"}`)
		for id, limit := range []time.Duration{3 * time.Second, 7 * time.Second} {
			ctx := t.Context()
			if id == 1 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				defer cancel()
			}
			began := time.Now()
			_, err := r.Request(ctx, id)
			if took := time.Since(began); took != limit {
				t.Fatalf("timed out after %v, want %v", took, limit)
			}
			if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUncertain) {
				t.Fatalf("request: %v", err)
			}
		}
		p.expect(`{"id":1,"data":0}`)
		p.expect(`{"id":2,"data":1}`)
		p.say(`{"id":1,"data":"late"}`)
		third := r.ask(t.Context(), 3)
		p.expect(`{"id":3,"data":3}`)
		p.say(`{"id":3,"data":"in time"}`)
		if a := <-third; a.err != nil || a.message.String() != `"in time"` {
			t.Fatalf("third: %+v", a)
		}
	})
}

// TestRequestIsNotRepeated but fails when its connection breaks, while one that
// was not sent yet waits for the next.
func TestRequestIsNotRepeated(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{})
		p := s.welcome(fresh, `{"connection":"c1"}`)
		sent := r.ask(t.Context(), "sent")
		p.expect(`{"id":1,"text":"sent"}`)
		p.close(1011, "ouch")
		a := <-sent
		var closed *CloseError
		if !errors.Is(a.err, ErrUncertain) || !errors.As(a.err, &closed) || closed.Code != 1011 {
			t.Fatalf("the request that was sent: %v", a.err)
		}
		waits := r.ask(t.Context(), "waits")
		p = s.welcome(fresh, `{"connection":"c2"}`)
		p.expect(`{"id":2,"text":"waits"}`)
		p.say(`{"id":2}`)
		if a := <-waits; a.err != nil {
			t.Fatalf("the request that waited: %v", a.err)
		}
		p.silent()
	})
}

// TestRequestIsTakenBack when it could not be sent in time.
func TestRequestIsTakenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{})
		p := s.next()
		p.expect(fresh)
		ctx, cancel := context.WithCancel(t.Context())
		back := r.ask(ctx, "back")
		synctest.Wait()
		stays := r.ask(t.Context(), "stays")
		synctest.Wait()
		cancel()
		if a := <-back; !errors.Is(a.err, context.Canceled) || errors.Is(a.err, ErrUncertain) {
			t.Fatalf("the request that was taken back: %v", a.err)
		}
		p.say(`{"connected":{}}`)
		p.expect(`{"id":2,"text":"stays"}`)
		p.say(`{"id":2}`)
		if a := <-stays; a.err != nil {
			t.Fatal(a.err)
		}
		p.silent()
	})
}

// TestRequestOfAnEndedClient fails, whether it waits or comes too late.
func TestRequestOfAnEndedClient(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{})
		s.next().expect(fresh)
		waits := r.ask(t.Context(), "waits")
		synctest.Wait()
		r.stop()
		if a := <-waits; !errors.Is(a.err, ErrClosed) || errors.Is(a.err, ErrUncertain) {
			t.Fatalf("the request that waited: %v", a.err)
		}
		if _, err := r.Request(t.Context(), "late"); !errors.Is(err, ErrClosed) {
			t.Fatalf("the request that came late: %v", err)
		}
	})
}

// TestRequestInAHandler would wait for itself.
func TestRequestInAHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		asked := make(chan error, 1)
		c := &Client{}
		c.OnMessage = func(ctx context.Context, _ Message) error {
			_, err := c.Request(ctx, 1)
			asked <- err
			return nil
		}
		s.run(c)
		p := s.welcome(fresh, `{"connection":"c1"}`)
		p.say(`{"data":1}`)
		if err := <-asked; !errors.Is(err, ErrInHandler) {
			t.Fatalf("Request: %v", err)
		}
		p.silent()
	})
}

func TestRequestThatCannotBeSent(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{})
		early := r.ask(t.Context(), strings.Repeat("x", 100))
		p := s.next()
		p.expect(fresh)
		synctest.Wait()
		p.say(`{"connected":{"maxMessage":50}}`)
		if a := <-early; !errors.Is(a.err, ErrTooBig) {
			t.Fatalf("before the limit was known: %v", a.err)
		}
		if _, err := r.Request(t.Context(), strings.Repeat("x", 100)); !errors.Is(err, ErrTooBig) {
			t.Fatalf("after the limit was known: %v", err)
		}
		if _, err := r.Request(t.Context(), func() {}); !errors.Is(err, ErrBadMessage) {
			t.Fatalf("a function: %v", err)
		}
		if _, err := r.Request(t.Context(), "\xff"); !errors.Is(err, ErrBadMessage) {
			t.Fatalf("text that is none: %v", err)
		}
		p.silent()
	})
}
