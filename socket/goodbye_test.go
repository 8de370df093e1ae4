package socket

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A message and what ends the connection come in one segment.
func TestWhatWasSentBeforeAGoodbyeIsHandled(t *testing.T) {
	const clients = 50
	for name, test := range map[string]struct {
		protocol string
		message  func(text string) string
		end      string
	}{
		"a close":                  {"", func(text string) string { return masked(aText, text) }, masked(aClose, closeWith(1000, ""))},
		"a close without a code":   {"", func(text string) string { return masked(aText, text) }, masked(aClose, "")},
		"a violation":              {"", func(text string) string { return masked(aText, text) }, masked(aText|0x40, "")},
		"a close with Protocol":    {Protocol, func(text string) string { return masked(aText, `{"text":"`+text+`"}`) }, masked(aClose, closeWith(1001, ""))},
		"no frame, with Protocol":  {Protocol, func(text string) string { return masked(aText, `{"text":"`+text+`"}`) }, masked(aText, "?")},
		"a close, in two messages": {"", func(text string) string { return masked(aText, "before") + masked(aText, text) }, masked(aClose, closeWith(1000, ""))},
	} {
		t.Run(name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				var handled atomic.Int64
				s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: Text(func(_ context.Context, text string) error {
					if strings.HasPrefix(text, "last") {
						handled.Add(1)
					}
					return nil
				})}})
				for i := range clients {
					c := dialWireFor(t, s.URL, test.protocol)
					first := ""
					if test.protocol != "" {
						first = masked(aText, `{"connect":{}}`)
					}
					c.say(first + test.message(fmt.Sprint("last ", i)) + test.end)
					for err := error(nil); err == nil; { // or a reset would take away what was sent
						_, err = c.next()
					}
				}
				redistest.Eventually(t, patience, "all to be handled", func() bool { return handled.Load() == clients })
			})
		})
	}
}

func isAda(context.Context, *http.Request) (*User, error) { return &User{ID: "ada"}, nil }

// The user goes all the same, at once.
func TestAGoodbyeDoesNotWaitForTheHandler(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		begun, finish, returned := make(chan struct{}), make(chan struct{}), make(chan string, 1)
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: isAda, OnMessage: Text(func(ctx context.Context, text string) error {
			close(begun)
			<-finish
			m, _ := FromContext(ctx)
			returned <- m.User.ID + " " + text
			return nil
		})}})
		c := dialWire(t, s.URL, "")
		c.say(masked(aText, "bye") + masked(aClose, closeWith(1000, "")))
		<-begun
		c.expect(wireFrame{aClose, closeWith(1000, "")})
		redistest.Eventually(t, patience, "ada to be offline", func() bool { return !online(t, outside(rdb), "ada") })
		close(finish)
		if got := <-returned; got != "ada bye" {
			t.Errorf("handled %q", got)
		}
	})
}

// A message that waits behind one after which the application closes the connection
// is none any more.
func TestAMessageBehindTheApplicationsCloseIsNotHandled(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var handled atomic.Int64
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: func(ctx context.Context, _ *Message) error {
			handled.Add(1)
			return Close(ctx)
		}}})
		c := dialWire(t, s.URL, "")
		c.say(strings.Repeat(masked(aText, "x"), 20))
		c.expect(wireFrame{aClose, closeWith(1000, "closed by the application")})
		s.stop()
		if n := handled.Load(); n != 1 {
			t.Errorf("%d messages were handled, want 1", n)
		}
	})
}
