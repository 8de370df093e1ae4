package client

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestFarewell writes what is in the buffer before the connection is closed.
func TestFarewell(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.deaf = true
		r := s.run(&Client{})
		p := s.welcomeDeaf(fresh, `{}`)
		for i := range 3 {
			must(t, r.Send(t.Context(), i))
		}
		r.cancel()
		synctest.Wait()
		if err := r.Send(t.Context(), "late"); err != ErrClosed {
			t.Fatalf("Send of a client that leaves: %v", err)
		}
		for i := range 3 {
			p.read(fmt.Sprintf(`{"data":%d}`, i))
		}
		if _, _, err := p.ws.ReadMessage(); closing(err) != "close 1000 (normal)" {
			t.Fatalf("the connection ended with %v", err)
		}
		r.stop()
	})
}

// TestFarewellIsShort when the server takes nothing; what it did not take is
// sent by another Run.
func TestFarewellIsShort(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.deaf = true
		c := &Client{}
		r := s.run(c)
		s.welcomeDeaf(fresh, `{"at":{"":"p1"}}`)
		must(t, r.Send(t.Context(), 1))
		asked := r.ask(t.Context(), 2)
		synctest.Wait()
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != farewell {
			t.Fatalf("Run returned after %v, want %v", took, farewell)
		}
		if a := <-asked; a.err == nil {
			t.Fatal("a request that was not sent has a reply")
		}
		r = s.run(c)
		p := s.welcomeDeaf(`{"connect":{"at":{"":"p1"}}}`, `{"at":{"":"p1"},"recovered":true}`)
		p.read(`{"data":1}`)
		must(t, r.Send(t.Context(), 3))
		p.read(`{"data":3}`)
		p.hangUp()
		r.stop()
	})
}

// TestRunWaitsForTheHandler and handles nothing after it was cancelled.
func TestRunWaitsForTheHandler(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		handling := make(chan struct{})
		handled := 0
		r := s.run(&Client{OnMessage: func(ctx context.Context, _ Message) error {
			handled++
			close(handling)
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return nil
		}})
		p := s.welcome(fresh, `{"at":{"":"p0"}}`)
		p.say(`{"at":"p1","data":1,"ack":"one"}`)
		<-handling
		go func() { _ = p.ws.WriteMessage(1, []byte(`{"at":"p2","data":2}`)) }() // taken, not handled
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != 2*time.Second || handled != 1 {
			t.Fatalf("Run returned after %v and %d messages", took, handled)
		}
		r.expectPositions(map[string]string{"": "p1"})
		p.expect(`{"ack":"one"}`)
		p.expect("close 1000 (normal)")
	})
}

// TestHandlerThatIsCancelled fails because the client leaves. That is a goodbye all
// the same, after what is in the buffer, and what was not handled comes again.
func TestHandlerThatIsCancelled(t *testing.T) {
	for name, frame := range map[string]string{
		"message": `{"at":"p1","data":1,"ack":"one"}`,
		"loss":    `{"missed":"","at":"p1"}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, s *stage) {
				handling := make(chan struct{})
				calls := 0
				c := &Client{
					OnMessage: func(ctx context.Context, _ Message) error {
						calls++
						close(handling)
						<-ctx.Done()
						return ctx.Err()
					},
					OnError: func(_ context.Context, err error) { t.Errorf("OnError: %v", err) },
				}
				c.OnLost = func(ctx context.Context, _ []string) error { return c.OnMessage(ctx, Message{}) }
				r := s.run(c)
				p := s.welcome(fresh, `{"at":{"":"p0"},"maxRate":1,"maxBurst":1}`)
				p.say(frame)
				<-handling
				must(t, r.Send(t.Context(), "buffered")) // until the server takes it
				go func() { _ = p.ws.WriteMessage(1, []byte(`{"at":"p2","data":2}`)) }()
				r.stop()
				p.expect(`{"text":"buffered"}`)
				p.expect("close 1000 (normal)")
				r.expectPositions(map[string]string{"": "p0"})
				if calls != 1 {
					t.Fatalf("%d calls", calls)
				}
			})
		})
	}
}

func TestRunEndsWhileItWaits(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		r := s.run(&Client{Backoff: Backoff{First: 24 * time.Hour, Max: 24 * time.Hour}})
		s.next().hangUp()
		synctest.Wait()
		if got := r.State(); got != Waiting {
			t.Fatalf("state %v", got)
		}
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != 0 {
			t.Fatalf("Run returned after %v", took)
		}
	})
}

// TestPanicEndsRun and leaves nothing running, which the bubble checks.
func TestPanicEndsRun(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{OnMessage: func(context.Context, Message) error { panic("as asked") }}
		c.URL, c.Dialer = "ws://stage/socket", s.dialer()
		recovered := make(chan any, 1)
		go func() {
			defer func() { recovered <- recover() }()
			_ = c.Run(t.Context())
		}()
		p := s.welcome(fresh, `{"at":{"":"p0"},"heartbeat":1000,"timeout":1000}`)
		asked := make(chan error, 1)
		go func() {
			_, err := c.Request(t.Context(), 1)
			asked <- err
		}()
		p.expect(`{"id":1,"data":1}`)
		p.say(`{"at":"p1","data":1}`)
		if got := <-recovered; got != "as asked" {
			t.Fatalf("recovered %v", got)
		}
		if err := <-asked; err == nil {
			t.Fatal("the request has a reply")
		}
		if got := c.State(); got != Stopped {
			t.Fatalf("state %v", got)
		}
	})
}

// TestRunAgain goes on with what another Run left.
func TestRunAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		r := s.run(c)
		p := s.welcome(fresh, `{"at":{"":"p0"}}`)
		p.say(`{"at":"p1","data":1}`)
		p.close(4401, "signed out")
		if err := r.ended(); err == nil {
			t.Fatal("Run returned nil")
		}
		c.Auth = Credentials("other")
		s.run(c)
		s.next().expect(`{"connect":{"at":{"":"p1"}},"text":"other"}`)
	})
}
