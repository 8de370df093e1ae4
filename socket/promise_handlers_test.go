package socket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The row "OnMessage" of the promises.

func TestOnMessageHandlesOneAtATimeInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var running atomic.Int32
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: Text(func(ctx context.Context, n string) error {
			if running.Add(1) != 1 {
				return errors.New("another message is being handled")
			}
			defer running.Add(-1)
			return Send(ctx, n)
		})}})
		d := dial(t, s.URL)
		for i := range 200 {
			d.say(fmt.Sprint(i))
		}
		for i := range 200 {
			d.expect(fmt.Sprint(i))
		}
	})
}

func TestOnMessageAnswersErrorsAndGoesOn(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		returned := make(chan struct{})
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			Timeout: 100 * time.Millisecond,
			OnMessage: Text(func(ctx context.Context, s string) error {
				switch s {
				case "error":
					return errors.New("no such room")
				case "panic":
					panic("secret")
				case "polite": // returns when its context says so
					<-ctx.Done()
					return ctx.Err()
				case "deaf": // does not
					<-returned
				}
				return Send(ctx, "did "+s)
			}),
		}})
		d := dial(t, s.URL)
		d.say("error")
		d.expect(`{"error":"no such room"}`)
		d.say("panic")
		d.expect(`{"error":"internal error"}`)
		d.say("polite")
		d.expect(`{"error":"timed out after 100ms"}`)
		d.say("deaf")
		d.say("next")
		d.expect(`{"error":"timed out after 100ms"}`)
		close(returned) // not before that is the next message handled
		d.expect("did deaf")
		d.expect("did next")
	})
}

func TestOnMessageContext(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			OnConnect: func(_ context.Context, r *http.Request) (*User, error) { return &User{ID: "ada", Data: 42}, nil },
			OnMessage: func(ctx context.Context, m *Message) error {
				got, ok := FromContext(ctx)
				if !ok || got != m || m.User.Data != 42 || m.Connection == "" || m.RequestID == "" {
					return fmt.Errorf("message %+v", m)
				}
				if jobs.UserID(ctx) != "ada" || jobs.RequestID(ctx) != m.RequestID {
					return fmt.Errorf("user %q, request %q", jobs.UserID(ctx), jobs.RequestID(ctx))
				}
				return Send(ctx, "ok")
			},
		}})
		d := dial(t, s.URL)
		d.say("x")
		d.expect("ok")
	})
}

func TestOnMessageContextOutlivesTheConnection(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		began, gone, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery, OnMessage: func(ctx context.Context, m *Message) error {
			close(began)
			<-gone
			result <- errors.Join(ctx.Err(), Send(ctx, "for the other device"))
			return nil
		}}})
		d, other := dial(t, s.URL+"?user=ada"), dial(t, s.URL+"?user=ada")
		d.say("x")
		<-began
		d.Close()
		redistest.Eventually(t, patience, "the connection to end", func() bool {
			return len(s.hub.Load().connections()) == 1
		})
		close(gone)
		if err := <-result; err != nil {
			t.Error(err)
		}
		other.expect("for the other device")
	})
}

func TestWithoutOnMessageClientsReceiveAndAreAnsweredWithAnError(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		d.say("x")
		d.expect(`{"error":"messages are not accepted here"}`)
		if err := To("ada").Send(outside(rdb), "news"); err != nil {
			t.Fatal(err)
		}
		d.expect("news")
	})
}

func TestAdaptersRefuseWhatTheyDoNotTake(t *testing.T) {
	type point struct{ X int }
	for _, c := range []struct {
		name    string
		handle  func(context.Context, *Message) error
		opcode  int
		message string
		want    string
	}{
		{"invalid JSON", JSON(func(ctx context.Context, p point) error { return nil }), websocket.TextMessage, "{", "bad message: unexpected EOF"},
		{"wrong type", JSON(func(ctx context.Context, p point) error { return nil }), websocket.TextMessage, `{"X":"a"}`, "X cannot be a JSON string"},
		{"two values", JSON(func(ctx context.Context, p point) error { return nil }), websocket.TextMessage, `{} {}`, "more data"},
		{"binary to JSON", JSON(func(ctx context.Context, p point) error { return nil }), websocket.BinaryMessage, `{}`, "binary frame"},
		{"binary to text", Text(func(ctx context.Context, s string) error { return nil }), websocket.BinaryMessage, "x", "binary frame"},
		{"text to binary", Binary(func(ctx context.Context, b []byte) error { return nil }), websocket.TextMessage, "x", "text frame"},
	} {
		t.Run(c.name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: c.handle}})
				d := dial(t, s.URL)
				if err := d.WriteMessage(c.opcode, []byte(c.message)); err != nil {
					t.Fatal(err)
				}
				if got := d.next(); !strings.HasPrefix(got, `{"error":"bad message: `) || !strings.Contains(got, c.want) {
					t.Errorf("answered %s, want a bad message with %q", got, c.want)
				}
			})
		})
	}
}

func TestAdaptersPassOnWhatTheyTake(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		json := JSON(func(ctx context.Context, p struct{ X int }) error { return Send(ctx, p.X+1) })
		binary := Binary(func(ctx context.Context, b []byte) error { return Send(ctx, bytes.ToUpper(b)) })
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: func(ctx context.Context, m *Message) error {
			if m.binary {
				return binary(ctx, m)
			}
			return json(ctx, m)
		}}})
		d := dial(t, s.URL)
		d.say(`{"X":1}`)
		d.expect("2")
		if err := d.WriteMessage(websocket.BinaryMessage, []byte("abc")); err != nil {
			t.Fatal(err)
		}
		d.expect("ABC")
	})
}

// The row "Authenticate" of the promises.

func TestAuthenticateVerdicts(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			Authenticate: func(ctx context.Context, m *Message) (*User, error) {
				switch word := string(m.Data); word {
				case "wait":
					return nil, Send(ctx, "go on")
				case "anonymous":
					return Anonymous, nil
				case "wrong":
					return nil, errors.New("wrong token")
				case "empty":
					return &User{}, nil
				case "binary":
					return &User{ID: "a\xff"}, nil
				case "panic":
					panic("secret")
				default:
					return &User{ID: word}, Send(ctx, "welcome "+word)
				}
			},
			OnMessage: Text(func(ctx context.Context, s string) error { return Send(ctx, jobs.UserID(ctx)+" said "+s) }),
		}})
		user := dial(t, s.URL)
		user.say("wait")
		user.expect("go on")
		user.say("ada")
		user.expect("welcome ada")
		if !online(t, outside(rdb), "ada") {
			t.Error("welcomed and not online")
		}
		user.say("hi")
		user.expect("ada said hi")

		anonymous := dial(t, s.URL)
		anonymous.say("anonymous")
		anonymous.say("hi")
		anonymous.expect(" said hi")

		for word, answer := range map[string]string{
			"wrong":  `{"error":"wrong token"}`,
			"empty":  `{"error":"authenticate: socket: user id is empty; return socket.Anonymous to accept a connection without a user"}`,
			"binary": `{"error":"authenticate: user id \"a\\xff\" is not valid UTF-8"}`,
		} {
			d := dial(t, s.URL)
			d.say(word)
			d.expect(answer)
			d.expectClose(CloseUnauthorized)
		}
		confused := dial(t, s.URL)
		confused.say("panic")
		confused.expect(`{"error":"internal error"}`)
		confused.expectClose(CloseTryLater)
	})
}

func TestAuthenticateHasAnEnd(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, AuthTimeout: 50 * time.Millisecond, Handlers: Handlers{
			Authenticate: byName,
			OnMessage:    Text(func(ctx context.Context, s string) error { return Send(ctx, s) }),
		}})
		silent := dial(t, s.URL)
		silent.expectClose(CloseAuthTimeout)
	})
}

// The row "OnConnect" of the promises.

func TestOnConnectSeesTheRequestAndMayRefuse(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			OnConnect: func(ctx context.Context, r *http.Request) (*User, error) {
				cookie, err := r.Cookie("session")
				switch {
				case err != nil:
					return nil, Reject(http.StatusUnauthorized, "no session")
				case cookie.Value == "banned":
					return nil, Reject(http.StatusForbidden, "")
				case cookie.Value == "broken":
					return nil, errors.New("bad session")
				case cookie.Value == "later":
					return nil, nil
				}
				return &User{ID: cookie.Value}, nil
			},
			Authenticate: byName,
			OnMessage:    Text(func(ctx context.Context, s string) error { return Send(ctx, jobs.UserID(ctx)+" said "+s) }),
		}})
		for cookie, want := range map[string]struct {
			status int
			body   string
		}{
			"":               {401, `{"error":"no session"}`},
			"session=banned": {403, `{"error":"Forbidden"}`},
			"session=broken": {401, `{"error":"bad session"}`},
		} {
			_, resp, err := websocket.DefaultDialer.Dial(s.URL, http.Header{"Cookie": {cookie}})
			if err == nil || resp.StatusCode != want.status {
				t.Fatalf("cookie %q: %v %v", cookie, err, resp)
			}
			body := make([]byte, 100)
			n, _ := resp.Body.Read(body)
			if got := strings.TrimSpace(string(body[:n])); got != want.body {
				t.Errorf("cookie %q: answered %s, want %s", cookie, got, want.body)
			}
		}
		conn, _, err := websocket.DefaultDialer.Dial(s.URL, http.Header{"Cookie": {"session=ada"}})
		if err != nil {
			t.Fatal(err)
		}
		ada := &device{conn, t}
		defer ada.Close()
		if !online(t, outside(rdb), "ada") {
			t.Error("the connection is open and the user not online")
		}
		ada.say("hi")
		ada.expect("ada said hi")

		conn, _, err = websocket.DefaultDialer.Dial(s.URL, http.Header{"Cookie": {"session=later"}})
		if err != nil {
			t.Fatal(err)
		}
		bob := &device{conn, t}
		defer bob.Close()
		bob.say(`{"Name":"bob"}`)
		bob.expect("hello bob")
	})
}

func TestForeignOriginsAreRefused(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Origins: []string{"https://app.example.com"}})
		own := "http" + strings.TrimPrefix(s.URL, "ws")
		for origin, want := range map[string]int{
			"https://evil.example": 403, "https://app.example.com.evil.example": 403, "null": 403,
			"https://app.example.com": 101, own: 101,
		} {
			conn, resp, err := websocket.DefaultDialer.Dial(s.URL, http.Header{"Origin": {origin}})
			if resp == nil || resp.StatusCode != want {
				t.Errorf("origin %s: %v %v, want %d", origin, resp, err, want)
			}
			if conn != nil {
				conn.Close()
			}
		}
		resp, err := http.Get(own)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusUpgradeRequired {
			t.Errorf("a plain request: %s", resp.Status)
		}
	})
}

// Limits, and frames that are not allowed.

func TestFramesThatCloseTheConnection(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxMessage: 1000, Handlers: Handlers{
			OnMessage: Text(func(ctx context.Context, s string) error { return Send(ctx, len(s)) }),
		}})
		d := dial(t, s.URL)
		d.say(strings.Repeat("x", 1000))
		d.expect("1000")
		d.say(strings.Repeat("x", 1001))
		d.expectClose(CloseTooBig)

		d = dial(t, s.URL)
		d.say("\xff")
		d.expectClose(CloseInvalid)
	})
}

func TestASilentConnectionIsDropped(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, PingInterval: 20 * time.Millisecond, PongTimeout: 100 * time.Millisecond,
			Handlers: Handlers{OnConnect: byQuery}})
		answering := dial(t, s.URL+"?user=ada")
		pings := make(chan struct{}, 1000)
		answering.SetPingHandler(func(data string) error {
			pings <- struct{}{}
			return answering.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		})
		go answering.ReadMessage() // handles pings until the connection is closed with the test
		dial(t, s.URL+"?user=bob") // never reads, and so never answers
		redistest.Eventually(t, patience, "the silent one to be offline", func() bool { return !online(t, outside(rdb), "bob") })
		for range 10 {
			<-pings
		}
		if !online(t, outside(rdb), "ada") {
			t.Error("a connection that answers was dropped")
		}
	})
}

// A ping must not be left out because something else is queued.
func TestABusyConnectionIsKept(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, PingInterval: 20 * time.Millisecond, PongTimeout: 500 * time.Millisecond,
			Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		var c *connection
		redistest.Eventually(t, patience, "the connection to be the hub's", func() bool {
			if all := s.hub.Load().connections(); len(all) == 1 {
				c = all[0]
			}
			return c != nil
		})
		began := time.Now()
		for i := 0; time.Since(began) < 1500*time.Millisecond; i++ {
			c.hold() // something is queued whenever a ping is due
			if err := c.send(frame{opcode: websocket.TextMessage, data: []byte(fmt.Sprint(i))}); err != nil {
				t.Fatal(err)
			}
			pause(t.Context(), 40*time.Millisecond)
			c.release()
			d.expect(fmt.Sprint(i))
		}
	})
}

func TestASlowReaderIsClosedAndSlowsNobody(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxQueued: 256 << 10, WriteTimeout: 200 * time.Millisecond, OfflineAfter: -1, Handlers: Handlers{OnConnect: byQuery}})
		dial(t, s.URL+"?user=slow") // never reads
		quick := dial(t, s.URL+"?user=quick")
		ctx, big := outside(rdb), strings.Repeat("x", 100<<10)
		for i := 0; online(t, ctx, "slow"); i++ {
			if i == 1000 {
				t.Fatal("100 MB were queued for a client that does not read")
			}
			if err := To("slow", "quick").Send(ctx, big); err != nil {
				t.Fatal(err)
			}
			quick.expect(big)
		}
	})
}

func TestOneMessageMayBeLargerThanTheQueue(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, MaxQueued: 1000, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		big := strings.Repeat("x", 10_000)
		if err := To("ada").Send(outside(rdb), big); err != nil {
			t.Fatal(err)
		}
		d.expect(big)
	})
}

func TestAStoppingServerClosesWithRestart(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, UnregisterOnStop: true, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		closed := make(chan error, 1)
		go func() {
			_, _, err := d.ReadMessage()
			closed <- err
		}()
		s.stop()
		if err := <-closed; !websocket.IsCloseError(err, CloseRestart) {
			t.Errorf("closed with %v", err)
		}
		if online(t, outside(rdb), "ada") {
			t.Error("the user is still online")
		}
		if keys := rdb.Keys(context.Background(), "*{s:*").Val(); len(keys) > 0 {
			t.Errorf("the server left %v", keys)
		}
	})
}
