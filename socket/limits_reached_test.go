package socket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
	"github.com/redis/go-redis/v9"
)

// What happens at each limit to a client of Protocol, and to others where no other
// test says it.

func TestAMessageOfAClientOfTheProtocolMayBeAsLargeAsMaxMessage(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const most = 1000 // of the whole frame
		s := serve(t, &Server{Redis: rdb, MaxMessage: most, Handlers: Handlers{OnMessage: Text(func(ctx context.Context, text string) error {
			return Reply(ctx, len(text))
		})}})
		r := dialResumer(t, s.URL)
		if hello := r.connect(nil); hello.MaxMessage != most {
			t.Errorf("told a limit of %d, want %d", hello.MaxMessage, most)
		}
		room := most - len(`{"text":""}`)
		r.say(`{"text":"` + strings.Repeat("x", room) + `"}`)
		r.expectFrame(fmt.Sprintf(`{"data":%d}`, room))
		r.say(`{"text":"` + strings.Repeat("x", room+1) + `"}`)
		r.expectClose(CloseTooBig)
	})
}

func TestAClientThatReadsTooSlowlyIsClosed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxQueued: 256 << 10, Handlers: Handlers{OnConnect: byQuery}})
		ctx, big := outside(rdb), strings.Repeat("x", 100<<10)
		plain, r := dial(t, s.URL+"?user=ada"), dialResumer(t, s.URL+"?user=ada")
		at := r.connect(nil).At
		sent := 0
		redistest.Eventually(t, patience, "both to be closed", func() bool {
			sendText(t, ctx, To("ada"), fmt.Sprint(sent, " ", big), Retain(10_000, time.Minute))
			sent++
			open := 0
			for _, c := range s.current().connections() {
				if !c.isClosing() {
					open++
				}
			}
			return open == 0
		})
		// Each has the first messages, and then the close frame.
		got := map[string]int{}
		for name, read := range map[string]func(text string) bool{
			"plain": func(text string) bool { return strings.HasPrefix(text, fmt.Sprint(got["plain"], " ")) },
			"resumer": func(text string) bool {
				return strings.Contains(text, fmt.Sprintf(`"text":"%d `, got["resumer"]))
			},
		} {
			d := map[string]*device{"plain": plain, "resumer": r.device}[name]
			d.SetReadDeadline(time.Now().Add(patience))
			for {
				_, data, err := d.ReadMessage()
				if websocket.IsCloseError(err, CloseSlow) {
					break
				}
				if string(data) == "{}" {
					continue // a heartbeat
				}
				if err != nil || !read(string(data)) {
					t.Fatalf("%s received %.40q, %v after %d messages; want close %d", name, data, err, got[name], CloseSlow)
				}
				got[name]++
			}
			if got[name] >= sent {
				t.Errorf("%s received all of the %d messages", name, sent)
			}
		}
		// One of them can come back and has missed nothing.
		again := dialResumer(t, s.URL+"?user=ada")
		if hello := again.connect(at); !*hello.Recovered {
			t.Fatalf("connected with %+v", hello)
		}
		for i := range sent {
			again.expectText("", fmt.Sprint(i, " ", big))
		}
	})
}

func TestAClientOfTheProtocolThatDoesNotAuthenticateIsClosed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, AuthTimeout: 200 * time.Millisecond, Handlers: Handlers{
			Authenticate: func(ctx context.Context, m *Message) (*User, error) {
				if string(m.Data) == "later" {
					return nil, nil
				}
				return &User{ID: string(m.Data)}, nil
			},
		}})
		in := dialResumer(t, s.URL)
		in.say(`{"connect":{},"text":"ada"}`)
		in.connected()
		for name, first := range map[string]string{"nothing": "", "a sign of life": "{}", "no credentials": `{"connect":{}}`, "not enough": `{"connect":{},"text":"later"}`} {
			r := dialResumer(t, s.URL)
			if first != "" {
				r.say(first)
			}
			r.SetReadDeadline(time.Now().Add(patience))
			if _, data, err := r.ReadMessage(); !websocket.IsCloseError(err, CloseAuthTimeout) {
				t.Errorf("after %s: received %q, %v; want close %d", name, data, err, CloseAuthTimeout)
			}
		}
		sendText(t, outside(rdb), To("ada"), "still here")
		in.expectText("", "still here")
	})
}

// Its network may have stalled.
func TestAClientThatDidNotAuthenticateInTimeComesBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, AuthTimeout: 50 * time.Millisecond, Handlers: Handlers{
			Authenticate: func(context.Context, *Message) (*User, error) { return nil, nil },
		}})
		ctx, stop := context.WithCancel(t.Context())
		c := &client.Client{URL: s.URL, Auth: client.Credentials("ada"), Logger: quiet}
		c.OnDisconnected = func(_ context.Context, err error, wait time.Duration) {
			var closed *client.CloseError
			if !errors.As(err, &closed) || closed.Code != CloseAuthTimeout || wait < 5*time.Second {
				t.Errorf("disconnected with %v, comes back after %v", err, wait)
			}
			stop()
		}
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestAClientOfTheProtocolThatSendsTooFastIsClosed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const perSecond, burst = 20, 5
		s := serve(t, &Server{Redis: rdb, MaxRate: perSecond, MaxBurst: burst, PingInterval: 100 * time.Millisecond, PongTimeout: 400 * time.Millisecond,
			Handlers: Handlers{OnConnect: byQuery, OnMessage: func(ctx context.Context, m *Message) error {
				return Reply(ctx, string(m.Data))
			}}})
		calm := &client.Client{URL: s.URL + "?user=ada", Logger: quiet}
		calm.OnDisconnected = func(_ context.Context, err error, _ time.Duration) { t.Errorf("disconnected: %v", err) }
		runClient(t, calm)
		r := dialResumer(t, s.URL+"?user=ada")
		r.connect(nil)
		began, replies := time.Now(), 0
		for i := range 1000 {
			r.ask(i+1, "x")
		}
		for {
			r.SetReadDeadline(time.Now().Add(patience))
			_, data, err := r.ReadMessage()
			if websocket.IsCloseError(err, CloseTooFast) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if string(data) == "{}" {
				continue
			}
			if want := fmt.Sprintf(`{"id":%d,"text":"x"}`, replies+1); string(data) != want {
				t.Fatalf("received %s, want %s", data, want)
			}
			replies++
		}
		// The first frame is one of the burst.
		if most := burst + perSecond*time.Since(began).Seconds(); replies < burst-1 || float64(replies) > most {
			t.Errorf("%d requests were answered, want from %d to %.0f", replies, burst-1, most)
		}
		if answer, err := calm.Request(t.Context(), "another device is not concerned"); err != nil || answer.String() != "another device is not concerned" {
			t.Errorf("answered %v, %v", answer, err)
		}
	})
}

// A client that comes back with more than it may send at once sends it in time.
func TestAClientWithAFullBufferIsNotTooFast(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const messages = 60
		got := make(chan string, messages)
		s := serve(t, &Server{Redis: rdb, MaxRate: 100, MaxBurst: 10, Handlers: Handlers{OnConnect: byQuery,
			OnMessage: Text(func(_ context.Context, text string) error { got <- text; return nil })}})
		c := &client.Client{URL: s.URL + "?user=ada", Logger: quiet}
		c.OnDisconnected = func(_ context.Context, err error, _ time.Duration) { t.Errorf("disconnected: %v", err) }
		for i := range messages {
			if err := c.Send(t.Context(), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		runClient(t, c)
		for i := range messages {
			if text := <-got; text != fmt.Sprint(i) {
				t.Fatalf("the server got %q, want %d", text, i)
			}
		}
	})
}

func TestAClientIsToldHowFastItMaySend(t *testing.T) {
	for want, s := range map[string]*Server{
		"0 0": {}, "10 10": {MaxRate: 10}, "10 3": {MaxRate: 10, MaxBurst: 3}, "0.5 1": {MaxRate: 0.5}, "3 3": {MaxRate: 3},
	} {
		s.Redis = redistest.Embedded(t)
		hello := dialResumer(t, serve(t, s).URL).connect(nil)
		if got := fmt.Sprintf("%.3g %d", hello.MaxRate, hello.MaxBurst); got != want {
			t.Errorf("MaxRate %v, MaxBurst %v: told %s, want %s", s.MaxRate, s.MaxBurst, got, want)
		}
	}
}

func TestOneTooManyClientOfTheProtocol(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{
			OnConnect: func(_ context.Context, r *http.Request) (*User, error) {
				if user := r.URL.Query().Get("user"); user != "" {
					return &User{ID: user}, nil
				}
				return nil, nil
			},
			Authenticate: byName,
		}
		one, two := serve(t, &Server{Redis: rdb, MaxPerUser: 1, Handlers: h}), serve(t, &Server{Redis: rdb, MaxPerUser: 1, Handlers: h})
		first := dialResumer(t, one.URL+"?user=ada")
		first.connect(nil)
		dialer := websocket.Dialer{Subprotocols: []string{Protocol}}
		if _, res, err := dialer.Dial(two.URL+"?user=ada", nil); err == nil || res == nil || res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("OnConnect said who it is: answered with %v, %v; want 429", res, err)
		}
		second := dialResumer(t, two.URL)
		second.say(`{"connect":{},"data":{"Name":"ada"}}`)
		second.expectText("", "hello ada") // what Authenticate says, before the verdict is carried out
		second.expectClose(CloseTooMany)
		sendText(t, outside(rdb), To("ada"), "news")
		first.expectText("", "news")
	})
}

// The connections of a server that is killed count until it is reaped, and then no
// more.
func TestMaxPerUserOfAKilledServer(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const lease = 2 * time.Second
		addr := rdb.Options().Addr
		one := start(t, "socket", addr, perUserVariable+"=2", leaseVariable+"="+lease.String())
		two := start(t, "socket", addr, perUserVariable+"=2")
		for range 2 {
			dial(t, one.line+"?user=ada")
		}
		dial(t, two.line+"?user=bob")
		one.end(syscall.SIGKILL)
		if d, res := try(t, two.line+"?user=ada"); d != nil || res.StatusCode != http.StatusTooManyRequests {
			t.Errorf("answered with %d just after the kill, want 429", res.StatusCode)
		}
		leasesLeft(t, rdb, 1)
		in, _ := tryMany(t, 1, http.StatusTooManyRequests, two.line+"?user=ada")
		more, _ := tryMany(t, 1, http.StatusTooManyRequests, two.line+"?user=ada")
		if len(in)+len(more) != 2 {
			t.Errorf("%d connections after the killed server was reaped, want 2", len(in)+len(more))
		}
		if _, refused := tryMany(t, 1, http.StatusTooManyRequests, two.line+"?user=ada"); refused != 1 {
			t.Error("one too many got in")
		}
	})
}
