package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSend(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		must(t, c.Send(t.Context(), "before Run"))
		r := s.run(c)
		p := s.welcome(fresh, `{"connection":"c1"}`)
		p.expect(`{"text":"before Run"}`)
		must(t, r.Send(t.Context(), map[string]string{"a": "<b>"}))
		must(t, r.Send(t.Context(), []byte("{}\n\x00")))
		must(t, r.Send(t.Context(), []byte{}))
		p.expect(`{"data":{"a":"\u003cb\u003e"}}`)
		p.expect("b:{}\n{}\n\x00")
		p.expect("b:{}\n")
		long := strings.Repeat("0123456789", 7000) // more than one buffer
		must(t, r.Send(t.Context(), long))
		p.expect(`{"text":"` + long + `"}`)
		p.hangUp()
		for i := range 3 {
			must(t, r.Send(t.Context(), i))
		}
		p = s.welcome(fresh, `{"connection":"c2"}`)
		for i := range 3 {
			p.expect(fmt.Sprintf(`{"data":%d}`, i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Send(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Fatalf("Send with a cancelled context: %v", err)
		}
		p.silent()
	})
}

func TestSendFailsWhenTheBufferIsFull(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{MaxBuffered: 200}
		must(t, c.Send(t.Context(), strings.Repeat("x", 300))) // one of any size
		if err := c.Send(t.Context(), 1); !errors.Is(err, ErrBufferFull) {
			t.Fatalf("Send: %v", err)
		}
		r := s.run(c)
		p := s.welcome(fresh, `{"connection":"c1"}`)
		p.expect(`{"text":"` + strings.Repeat("x", 300) + `"}`)
		p.hangUp()
		synctest.Wait()
		must(t, r.Send(t.Context(), 1))
		must(t, r.Send(t.Context(), 2))
		if err := r.Send(t.Context(), 3); !errors.Is(err, ErrBufferFull) {
			t.Fatalf("Send: %v", err)
		}
		p = s.welcome(fresh, `{"connection":"c2"}`)
		p.expect(`{"data":1}`)
		p.expect(`{"data":2}`)
		p.silent()
	})
}

// TestSendWaitsForASlowServer while it is connected.
func TestSendWaitsForASlowServer(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.deaf = true
		r := s.run(&Client{MaxBuffered: 300, WriteTimeout: time.Hour})
		p := s.welcomeDeaf(fresh, `{}`)
		for i := range 4 {
			must(t, r.Send(t.Context(), i))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := r.Send(ctx, "late"); !errors.Is(err, ErrBufferFull) || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Send: %v", err)
		}
		sent, lost := make(chan error, 1), make(chan error, 1)
		go func() { sent <- r.Send(t.Context(), 4) }()
		synctest.Wait()
		if len(sent) > 0 {
			t.Fatalf("Send did not wait: %v", <-sent)
		}
		p.read(`{"data":0}`)
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		go func() { lost <- r.Send(t.Context(), 5) }()
		synctest.Wait()
		p.hangUp()
		if err := <-lost; !errors.Is(err, ErrBufferFull) {
			t.Fatalf("Send on a connection that is lost: %v", err)
		}
		p = s.welcomeDeaf(fresh, `{}`)
		// What was being written when the connection broke is written again.
		for i := 1; i < 5; i++ {
			p.read(fmt.Sprintf(`{"data":%d}`, i))
		}
	})
}

func TestSendThatIsTooBig(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		story := newStory(c)
		must(t, c.Send(t.Context(), 1))
		must(t, c.Send(t.Context(), strings.Repeat("x", 40)))
		must(t, c.Send(t.Context(), 2))
		r := s.run(c)
		p := s.welcome(fresh, `{"connection":"c1","maxMessage":50}`)
		p.expect(`{"data":1}`)
		p.expect(`{"data":2}`)
		story.expect(t, "error socket client: message is too big: one that was buffered is dropped", "connected [] recovered=false")
		if err := r.Send(t.Context(), strings.Repeat("x", 40)); !errors.Is(err, ErrTooBig) {
			t.Fatalf("Send: %v", err)
		}
		must(t, r.Send(t.Context(), strings.Repeat("x", 39))) // a frame of 50
		p.expect(`{"text":"` + strings.Repeat("x", 39) + `"}`)
	})
}

// TestErrorsThatBelongToNoRequest reach OnError.
func TestErrorsThatBelongToNoRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		story := newStory(c)
		s.run(c)
		p := s.welcome(fresh, `{"connection":"c1"}`)
		p.say(`{"error":"bad order"}`)
		story.expect(t, "connected [] recovered=false", "error socket client: the server answered: bad order")
	})
}

// TestSendInAHandlerOfADeadConnection does not wait for room that only the end of the
// handler could make.
func TestSendInAHandlerOfADeadConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.deaf = true
		failed := make(chan error, 1)
		c := &Client{MaxBuffered: 100, WriteTimeout: time.Second}
		c.OnMessage = func(ctx context.Context, _ Message) error {
			for {
				if err := c.Send(ctx, strings.Repeat("x", 50)); err != nil {
					failed <- err
					return nil
				}
			}
		}
		r := s.run(c)
		p := s.welcomeDeaf(fresh, `{"connection":"c1","at":{"":"p0"},"heartbeat":1000,"timeout":1000}`)
		p.say(`{"at":"p1","data":1}`)
		if err := eventually(t, failed, "Send"); !errors.Is(err, ErrBufferFull) {
			t.Errorf("Send: %v, want %v", err, ErrBufferFull)
		}
		s.welcomeDeaf(`{"connect":{"at":{"":"p1"}}}`, `{"connection":"c2","at":{"":"p1"}}`)
		r.stop()
	})
}
