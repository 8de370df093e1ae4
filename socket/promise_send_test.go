package socket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The row "socket.Send" of the promises.

func TestSendReachesTheUserOnEveryDeviceAndServer(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{Authenticate: byName, OnMessage: Text(func(ctx context.Context, s string) error { return Send(ctx, "to all: "+s) })}
		one, two := serve(t, &Server{Redis: rdb, Handlers: h}), serve(t, &Server{Redis: rdb, Handlers: h})
		ada := []*device{dialAs(t, one, "ada"), dialAs(t, one, "ada"), dialAs(t, two, "ada"), dialAs(t, two, "ada")}
		bob := dialAs(t, two, "bob")

		ada[0].say("hi")
		for _, d := range ada {
			d.expect("to all: hi")
		}
		// From outside, and nothing of the above reached bob before it.
		for _, user := range []string{"ada", "bob"} {
			if err := Send(jobs.WithUserID(outside(rdb), user), "from a job"); err != nil {
				t.Fatal(err)
			}
		}
		for _, d := range append(ada, bob) {
			d.expect("from a job")
		}
	})
}

func TestSendWithoutAUserReachesTheCurrentConnectionOnly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			OnMessage: Text(func(ctx context.Context, s string) error { return Send(ctx, "echo "+s) }),
		}})
		one, two := dial(t, s.URL), dial(t, s.URL)
		one.say("a")
		one.expect("echo a")
		two.say("b")
		two.expect("echo b")
	})
}

func TestSendWithNobodyToSendTo(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		if err := Send(outside(rdb), "x"); !errors.Is(err, ErrNobody) {
			t.Errorf("with a sender: %v, want ErrNobody", err)
		}
		for _, ctx := range []context.Context{context.Background(), jobs.WithUserID(context.Background(), "ada")} {
			if err := Send(ctx, "x"); !errors.Is(err, ErrNoSender) {
				t.Errorf("without a sender: %v, want ErrNoSender", err)
			}
		}
		if _, err := IsOnline(context.Background(), "ada"); !errors.Is(err, ErrNoSender) {
			t.Errorf("IsOnline: %v, want ErrNoSender", err)
		}
		if err := Close(outside(rdb)); !errors.Is(err, ErrNobody) {
			t.Errorf("Close: %v, want ErrNobody", err)
		}
		if err := Send(jobs.WithUserID(outside(rdb), "ada"), func() {}); err == nil || !strings.Contains(err.Error(), "func()") {
			t.Errorf("a value that JSON cannot hold: %v", err)
		}
	})
}

func TestSendEncodesByType(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		ctx := jobs.WithUserID(outside(rdb), "ada")
		binary := []byte{0, 255, 10, 128}
		for _, err := range []error{
			Send(ctx, "as it is <é>"), Send(ctx, binary), Send(ctx, struct {
				N int `json:"n"`
			}{7}), Send(ctx, []string{"a"}), Send(ctx, ""),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []struct {
			opcode int
			data   string
		}{
			{websocket.TextMessage, "as it is <é>"}, {websocket.BinaryMessage, string(binary)},
			{websocket.TextMessage, `{"n":7}`}, {websocket.TextMessage, `["a"]`}, {websocket.TextMessage, ""},
		} {
			opcode, data, err := d.ReadMessage()
			if err != nil || opcode != want.opcode || string(data) != want.data {
				t.Fatalf("received %d %q %v, want %d %q", opcode, data, err, want.opcode, want.data)
			}
		}
	})
}

// The row "socket.To(ids…).Send" of the promises.

func TestToReachesUpToAHundredUsers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		one := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		two := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		var users []string
		var devices []*device
		for i := range MaxRecipients {
			user := fmt.Sprintf("user-%d", i)
			users = append(users, user, user) // the same one twice counts once
			devices = append(devices, dial(t, []*running{one, two}[i%2].URL+"?user="+user))
		}
		if err := To(users...).Send(outside(rdb), "news"); err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			d.expect("news")
		}
	})
}

func TestToRefusesWrongRecipientsAndSendsNothing(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=user-0")
		ctx := outside(rdb)
		var many []string
		for i := range MaxRecipients + 1 {
			many = append(many, fmt.Sprintf("user-%d", i))
		}
		for name, c := range map[string]struct {
			err  error
			want error
		}{
			"none":       {To().Send(ctx, "x"), ErrRecipients},
			"101":        {To(many...).Send(ctx, "x"), ErrRecipients},
			"empty id":   {To("user-0", "").Send(ctx, "x"), ErrEmptyUserID},
			"no context": {To("user-0").Send(context.Background(), "x"), ErrNoSender},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", name, c.err, c.want)
			}
		}
		if _, err := IsOnline(ctx, ""); !errors.Is(err, ErrEmptyUserID) {
			t.Errorf("IsOnline of nobody: %v", err)
		}
		if err := To("user-0").Send(ctx, "after"); err != nil {
			t.Fatal(err)
		}
		d.expect("after")
	})
}

func TestUserIDsMayHoldAnything(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{Authenticate: byName}})
		for _, user := range []string{"}", "{x}", "a b\n3 4", "%7B", "日本", strings.Repeat("u", 1000)} {
			d := dialAs(t, s, user)
			if err := To(user).Send(outside(rdb), "for "+user); err != nil {
				t.Fatal(err)
			}
			d.expect("for " + user)
			if !online(t, outside(rdb), user) {
				t.Errorf("user %q is not online", user)
			}
		}
	})
}

// Close is not a row of its own: it is the end of what is sent.

func TestCloseInAHandlerClosesTheCurrentConnectionAfterWhatWasSent(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: func(ctx context.Context, m *Message) error {
			if err := Send(ctx, "bye"); err != nil {
				return err
			}
			return Close(ctx)
		}}})
		d, other := dial(t, s.URL), dial(t, s.URL)
		d.say("x")
		d.expect("bye")
		d.expectClose(CloseNormal)
		other.say("x")
		other.expect("bye")
	})
}

func TestCloseElsewhereClosesAllConnectionsOfTheUser(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{OnConnect: byQuery}
		one, two := serve(t, &Server{Redis: rdb, Handlers: h}), serve(t, &Server{Redis: rdb, Handlers: h})
		devices := []*device{dial(t, one.URL+"?user=ada"), dial(t, two.URL+"?user=ada")}
		ctx := jobs.WithUserID(outside(rdb), "ada")
		if err := Send(ctx, "bye"); err != nil {
			t.Fatal(err)
		}
		if err := Close(ctx); err != nil {
			t.Fatal(err)
		}
		for _, d := range devices {
			d.expect("bye")
			d.expectClose(CloseNormal)
		}
		redistest.Eventually(t, patience, "the user to be offline", func() bool { return !online(t, ctx, "ada") })
	})
}

func TestPrefixesKeepApplicationsApart(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		h := Handlers{OnConnect: func(ctx context.Context, r *http.Request) (*User, error) { return &User{ID: "ada"}, nil }}
		one := dial(t, serve(t, &Server{Redis: rdb, Prefix: "one", Handlers: h}).URL)
		two := dial(t, serve(t, &Server{Redis: rdb, Prefix: "two", Handlers: h}).URL)
		for _, prefix := range []string{"one", "two"} {
			sender := NewSender(rdb)
			sender.Prefix = prefix
			if err := To("ada").Send(sender.Context(context.Background()), "for "+prefix); err != nil {
				t.Fatal(err)
			}
		}
		one.expect("for one")
		two.expect("for two")
	})
}
