package socket

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket/client"
	"github.com/redis/go-redis/v9"
)

func TestWhichErrorsRefuse(t *testing.T) {
	_, missing := os.Open(t.TempDir() + "/session")
	address := &url.Error{Op: "parse", URL: "http://%", Err: url.EscapeError("%")}
	refusals := []error{
		errors.New("wrong token"), missing, address, redis.Nil, fmt.Errorf("session: %w", redis.Nil),
		(&Message{Data: []byte(`{"Tok`)}).Decode(new(any)), (&Message{}).Decode(new(any)),
		json.Unmarshal([]byte(`{"Tok`), new(any)),
		Reject(401, "no"), Reject(403, ""), Reject(404, "no such user"), fmt.Errorf("no: %w", Reject(400, "no")),
	}
	for _, err := range refusals {
		if !refuses(err) {
			t.Errorf("%v (%T) is no refusal", err, err)
		}
	}
	passing := []error{
		fmt.Errorf("%w after a second", ErrTimeout), errPanic,
		context.DeadlineExceeded, context.Canceled, fmt.Errorf("load session: %w", context.Canceled),
		&net.OpError{Op: "dial", Err: errors.New("connection refused")}, &net.DNSError{Err: "no such host", Name: "db"},
		&url.Error{Op: "Get", Err: &net.OpError{Op: "read", Err: errors.New("connection reset")}},
		os.ErrDeadlineExceeded, net.ErrClosed, io.EOF, fmt.Errorf("query: %w", io.ErrUnexpectedEOF), driver.ErrBadConn,
		redis.ErrClosed, redis.ErrPoolTimeout, redis.TxFailedErr,
		Reject(500, ""), Reject(503, "our directory is away"), Reject(429, "too many attempts"), Reject(408, ""),
		fmt.Errorf("verify: %w", Reject(502, "no")),
	}
	for _, err := range passing {
		if refuses(err) {
			t.Errorf("%v (%T) is a refusal", err, err)
		}
	}
}

// undecided returns what a handler that cannot decide does, by name.
func undecided(t *testing.T, rdb *redis.Client) map[string]func(ctx context.Context) error {
	away := redis.NewClient(&redis.Options{Addr: unusedAddress(t), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = away.Close() })
	return map[string]func(ctx context.Context) error{
		"time-out":   func(ctx context.Context) error { <-ctx.Done(); return errors.New("gave up") },
		"panic":      func(context.Context) error { panic("secret") },
		"context":    func(context.Context) error { return fmt.Errorf("load session: %w", context.DeadlineExceeded) },
		"Redis away": func(ctx context.Context) error { return away.Get(ctx, "session").Err() },
		"Redis fails": func(ctx context.Context) error {
			return rdb.Eval(ctx, `return redis.error_reply("LOADING the data set")`, nil).Err()
		},
		"rejection": func(context.Context) error { return Reject(503, "come back") },
	}
}

// unusedAddress returns one at which nobody listens.
func unusedAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAClientAboutWhomAuthenticateCannotDecideMayComeBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		fail := undecided(t, rdb)
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			Timeout: 100 * time.Millisecond,
			Authenticate: func(ctx context.Context, m *Message) (*User, error) {
				if f, ok := fail[string(m.Data)]; ok {
					return nil, f(ctx)
				}
				err := rdb.Get(ctx, "session of "+string(m.Data)).Err() // redis.Nil
				return nil, fmt.Errorf("load session: %w", err)
			},
		}})
		for name, code := range map[string]int{
			"time-out": CloseTryLater, "panic": CloseTryLater, "context": CloseTryLater, "Redis away": CloseTryLater,
			"Redis fails": CloseTryLater, "rejection": CloseTryLater, "nobody": CloseUnauthorized,
		} {
			d := dial(t, s.URL)
			d.say(name)
			if answer := d.next(); !strings.HasPrefix(answer, `{"error":"`) {
				t.Errorf("%s: answered %s", name, answer)
			}
			d.expectClose(code)
			r := dialResumer(t, s.URL)
			r.say(`{"connect":{},"text":` + quote(name) + `}`)
			if m := r.receive(); m.Error == "" {
				t.Errorf("%s: answered %+v", name, m)
			}
			r.expectClose(code)
		}
	})
}

func TestARequestAboutWhichOnConnectCannotDecideIsNotUnauthorized(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		fail := undecided(t, rdb)
		fail["made by hand"] = func(context.Context) error { return &Rejection{Reason: "no"} }
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			Timeout: 100 * time.Millisecond,
			OnConnect: func(ctx context.Context, r *http.Request) (*User, error) {
				return nil, fail[r.URL.Query().Get("how")](ctx)
			},
		}})
		for how, want := range map[string]int{
			"time-out": 503, "panic": 500, "context": 503, "Redis away": 503, "Redis fails": 503, "rejection": 503,
			"made by hand": 401,
		} {
			_, answer, err := websocket.DefaultDialer.Dial(s.URL+"?how="+url.QueryEscape(how), nil)
			if err == nil || answer == nil || answer.StatusCode != want {
				t.Errorf("%s: answered %v, %v; want %d", how, answer, err, want)
				continue
			}
			if after := answer.Header.Get("Retry-After"); (after != "") != (want == 503 && how != "rejection") {
				t.Errorf("%s: Retry-After %q", how, after)
			}
		}
	})
}

// The same client gets in once the handler can decide again, with what it has.
func TestAClientComesBackToAnAuthenticateThatCouldNotDecide(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		calls := 0 // one at a time: of one client
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{
			Timeout: 100 * time.Millisecond,
			Authenticate: func(ctx context.Context, m *Message) (*User, error) {
				if calls++; calls == 1 {
					<-ctx.Done()
				}
				return &User{ID: string(m.Data)}, ctx.Err()
			},
		}})
		in := make(chan string, 1)
		runClient(t, &client.Client{URL: s.URL, Auth: client.Credentials("ada"), Logger: quiet,
			Backoff:     client.Backoff{First: time.Millisecond},
			OnConnected: func(_ context.Context, session client.Session) { in <- session.User }})
		if user := <-in; user != "ada" {
			t.Errorf("connected as %q", user)
		}
	})
}
