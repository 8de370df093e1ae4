package client

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
)

// story notes what handlers were told, in order.
type story struct{ told chan string }

func newStory(c *Client) *story {
	s := &story{make(chan string, 1000)}
	c.OnConnected = func(_ context.Context, n Session) { s.tell("connected %v recovered=%v", n.Channels, n.Recovered) }
	c.OnLost = func(_ context.Context, channels []string) error { s.tell("lost %q", channels); return nil }
	c.OnJoined = func(_ context.Context, channel string) { s.tell("joined %s", channel) }
	c.OnLeft = func(_ context.Context, channel string) { s.tell("left %s", channel) }
	c.OnError = func(_ context.Context, err error) { s.tell("error %v", err) }
	c.OnMessage = func(_ context.Context, m Message) error { s.tell("message %q %s", m.Channel, m); return nil }
	return s
}

func (s *story) tell(format string, args ...any) { s.told <- fmt.Sprintf(format, args...) }

func (s *story) expect(t *testing.T, want ...string) {
	t.Helper()
	for _, want := range want {
		if got := eventually(t, s.told, want); got != want {
			t.Fatalf("handlers were told %s, want %s", got, want)
		}
	}
}

func (r *running) expectPositions(want map[string]string) {
	r.t.Helper()
	if got := r.Positions(); !reflect.DeepEqual(got, want) {
		r.t.Fatalf("positions %v, want %v", got, want)
	}
}

func TestResume(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{Auth: Credentials("token")}
		story := newStory(c)
		r := s.run(c)
		p := s.welcome(`{"connect":{},"text":"token"}`, `{"connection":"c1","at":{"":"u1","*":"b1"}}`)
		p.say(`{"at":"u2","data":{"n":1}}`)
		p.say(`{"at":"b2","on":"*","text":"all"}`)
		p.say(`{"joined":"#room","at":"r1"}`)
		p.say(`{"at":"r2","on":"#room","data":2}`)
		p.say(`{"data":"ephemeral"}`)
		p.say(`{"joined":"#hall","at":"h1"}`)
		p.say(`{"left":"#hall"}`)
		story.expect(t, "connected [ *] recovered=false", `message "" {"n":1}`, `message "*" all`, "joined #room",
			`message "#room" 2`, `message "" "ephemeral"`, "joined #hall", "left #hall")
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"u2","#room":"r2","*":"b2"}},"text":"token"}`,
			`{"connection":"c2","at":{"":"u2","*":"b2","#room":"r2"},"recovered":true}`)
		p.say(`{"at":"u3","data":3}`)
		story.expect(t, "connected [ #room *] recovered=true", `message "" 3`)
		r.stop()
		r.expectPositions(map[string]string{"": "u3", "*": "b2", "#room": "r2"})

		// Another process goes on from there.
		r = s.run(&Client{Resume: r.Positions()})
		s.next().expect(`{"connect":{"at":{"":"u3","#room":"r2","*":"b2"}}}`)
		r.expectPositions(map[string]string{"": "u3", "*": "b2", "#room": "r2"})
		r.stop()
	})
}

func TestLost(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{Resume: map[string]string{"": "u1", "#room": "r1", "#gone": "g1"}}
		story := newStory(c)
		r := s.run(c)
		p := s.welcome(`{"connect":{"at":{"":"u1","#gone":"g1","#room":"r1"}}}`,
			`{"connection":"c1","at":{"":"u1","#room":"r9"},"recovered":false,"lost":["#room","#gone"]}`)
		p.say(`{"at":"r10","on":"#room","data":10}`)
		story.expect(t, "connected [ #room] recovered=false", `lost ["#room" "#gone"]`, `message "#room" 10`)
		p.say(`{"missed":"","at":"u5"}`)
		story.expect(t, `lost [""]`)
		r.stop()
		r.expectPositions(map[string]string{"": "u5", "#room": "r10"})
	})
}

// TestAnotherUser has nothing of what the one before had, until OnLost has seen to it.
func TestAnotherUser(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		story := newStory(c)
		tries := 0
		c.OnLost = func(_ context.Context, channels []string) error {
			story.tell("lost %q", channels)
			if tries++; tries < 2 {
				return errors.New("the database is away")
			}
			return nil
		}
		r := s.run(c)
		s.welcome(fresh, `{"connection":"c1","user":"ada","at":{"":"u1","*":"b1","#room":"r1"}}`).hangUp()
		const resumed = `{"connect":{"at":{"":"u1","#room":"r1","*":"b1"}}}`
		const bobs = `{"connection":"c2","user":"bob","at":{"":"v1","*":"b1"},"recovered":true}`
		p := s.welcome(resumed, bobs)
		p.expect("close 4900")
		s.welcome(resumed, bobs).hangUp()
		p = s.welcome(`{"connect":{"at":{"":"v1","*":"b1"}}}`, bobs)
		story.expect(t, "connected [ #room *] recovered=false",
			"connected [ *] recovered=false", `lost ["" "#room" "*"]`,
			"connected [ *] recovered=false", `lost ["" "#room" "*"]`,
			"connected [ *] recovered=true")
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"v1","*":"b1"}}}`, `{"connection":"c3","at":{"*":"b1"},"recovered":true}`)
		story.expect(t, "connected [*] recovered=false", `lost ["" "*"]`) // nobody is somebody else, too
		p.silent()
		r.stop()
		r.expectPositions(map[string]string{"*": "b1"})
	})
}

// TestLossThatIsNotHandled comes again, since the position stays.
func TestLossThatIsNotHandled(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		tries := 0
		r := s.run(&Client{Resume: map[string]string{"#room": "r1"}, OnLost: func(context.Context, []string) error {
			if tries++; tries < 3 {
				return errors.New("the database is away")
			}
			return nil
		}})
		p := s.welcome(`{"connect":{"at":{"#room":"r1"}}}`,
			`{"connection":"c1","at":{"":"u1","#room":"r9"},"recovered":false,"lost":["#room"]}`)
		p.expect("close 4900")
		p = s.welcome(`{"connect":{"at":{"":"u1","#room":"r1"}}}`,
			`{"connection":"c2","at":{"":"u1","#room":"r1"},"recovered":true}`)
		p.say(`{"missed":"#room","at":"r12"}`)
		p.expect("close 4900")
		p = s.welcome(`{"connect":{"at":{"":"u1","#room":"r1"}}}`,
			`{"connection":"c3","at":{"":"u1","#room":"r1"},"recovered":true}`)
		p.say(`{"missed":"#room","at":"r13"}`)
		p.silent()
		r.stop()
		r.expectPositions(map[string]string{"": "u1", "#room": "r13"})
	})
}

// TestLossThatIsNotHandledIsToldAgain also of channels that the client had no position
// in, or that it is not in any more.
func TestLossThatIsNotHandledIsToldAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		tries := 0
		r := s.run(&Client{Resume: map[string]string{"": "u1", "#gone": "g1"}, OnLost: func(context.Context, []string) error {
			if tries++; tries < 2 {
				return errors.New("the database is away")
			}
			return nil
		}})
		const lost = `{"connection":"c1","at":{"":"u1","#new":"n5"},"recovered":false,"lost":["#gone","#new"]}`
		p := s.welcome(`{"connect":{"at":{"":"u1","#gone":"g1"}}}`, lost)
		p.expect("close 4900")
		p = s.welcome(`{"connect":{"at":{"":"u1","#gone":"g1"}}}`, lost)
		p.silent()
		r.stop()
		r.expectPositions(map[string]string{"": "u1", "#new": "n5"})
	})
}

// TestMessageThatIsNotHandled comes again, and is acknowledged once it is.
func TestMessageThatIsNotHandled(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		var handled []string
		var waits []error
		failures := 2
		r := s.run(&Client{
			OnMessage: func(_ context.Context, m Message) error {
				handled = append(handled, m.String())
				if m.String() == "2" && failures > 0 {
					failures--
					return errors.New("no")
				}
				return nil
			},
			OnDisconnected: func(_ context.Context, err error, _ time.Duration) { waits = append(waits, err) },
		})
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"}}`)
		p.say(`{"at":"p1","data":1,"ack":"one"}`)
		p.expect(`{"ack":"one"}`)
		p.say(`{"acked":"one"}`)
		p.say(`{"at":"p2","data":2,"ack":"two"}`)
		p.expect("close 4900")
		p = s.welcome(`{"connect":{"at":{"":"p1"}}}`, `{"connection":"c2","at":{"":"p1"},"recovered":true}`)
		p.say(`{"at":"p2","data":2,"ack":"two"}`)
		p.expect("close 4900")
		p = s.welcome(`{"connect":{"at":{"":"p1"}}}`, `{"connection":"c3","at":{"":"p1"},"recovered":true}`)
		p.say(`{"at":"p2","data":2,"ack":"two"}`)
		p.expect(`{"ack":"two"}`)
		p.say(`{"at":"p3","data":3}`)
		p.silent()
		r.stop()
		r.expectPositions(map[string]string{"": "p3"})
		if want := []string{"1", "2", "2", "2", "3"}; !slices.Equal(handled, want) {
			t.Fatalf("handled %v, want %v", handled, want)
		}
		if len(waits) != 2 {
			t.Fatalf("disconnected %d times, want 2: %v", len(waits), waits)
		}
	})
}

// TestEphemeralMessageThatIsNotHandled cannot come again.
func TestEphemeralMessageThatIsNotHandled(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		c := &Client{}
		story := newStory(c)
		no := errors.New("no")
		c.OnMessage = func(context.Context, Message) error { return no }
		s.run(c)
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"}}`)
		p.say(`{"data":1,"ack":"one"}`)
		story.expect(t, "connected [] recovered=false", "error socket client: handle message: no")
		p.silent()
	})
}

// TestAckOutlivesItsConnection as the message that it is for will not come again.
func TestAckOutlivesItsConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		handling, release := make(chan struct{}), make(chan struct{})
		s.run(&Client{OnMessage: func(context.Context, Message) error {
			close(handling)
			<-release
			return nil
		}})
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"}}`)
		p.say(`{"at":"p1","data":1,"ack":"a \"token\""}`)
		<-handling
		p.hangUp()
		close(release)
		p = s.welcome(`{"connect":{"at":{"":"p1"}}}`, `{"connection":"c2","at":{"":"p1"},"recovered":true}`)
		p.expect(`{"ack":"a \"token\""}`)
	})
}

// TestAckIsRepeatedUntilItIsAnswered as it may have been written to a dead link.
func TestAckIsRepeatedUntilItIsAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.run(&Client{OnMessage: func(context.Context, Message) error { return nil }})
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"}}`)
		for _, token := range []string{"one", "two", "three"} {
			p.say(`{"at":"p3","data":1,"ack":"` + token + `"}`)
			p.expect(`{"ack":"` + token + `"}`)
		}
		p.say(`{"acked":"two"}`)
		p.say(`{"acked":"of nothing"}`)
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"p3"}}}`, `{"connection":"c2","at":{"":"p3"},"recovered":true}`)
		p.expect(`{"ack":"one"}`)
		p.expect(`{"ack":"three"}`)
		p.say(`{"acked":"one"}`)
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"p3"}}}`, `{"connection":"c3","at":{"":"p3"},"recovered":true}`)
		p.expect(`{"ack":"three"}`)
		p.say(`{"acked":"three"}`)
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"p3"}}}`, `{"connection":"c4","at":{"":"p3"},"recovered":true}`)
		p.silent()
	})
}

// TestUnansweredAcksHaveALimit for the sake of servers that answer none.
func TestUnansweredAcksHaveALimit(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.run(&Client{OnMessage: func(context.Context, Message) error { return nil }})
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"}}`)
		for i := range maxUnacked + 2 {
			p.say(fmt.Sprintf(`{"at":"p1","data":1,"ack":"%d"}`, i))
			p.expect(fmt.Sprintf(`{"ack":"%d"}`, i))
		}
		p.hangUp()
		p = s.welcome(`{"connect":{"at":{"":"p1"}}}`, `{"connection":"c2","at":{"":"p1"},"recovered":true}`)
		for i := range maxUnacked {
			p.expect(fmt.Sprintf(`{"ack":"%d"}`, i+2))
		}
		p.silent()
	})
}
