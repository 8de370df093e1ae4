package socket

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		os.Exit(processMain(role))
	}
	goleak.VerifyTestMain(m)
}

const patience = 10 * time.Second

// quiet is the logger of what runs in other processes and in benchmarks.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// byName authenticates a connection as the user that its first message names,
// and greets it.
func byName(ctx context.Context, m *Message) (*User, error) {
	var in struct{ Name string }
	if err := m.Decode(&in); err != nil {
		return nil, err
	}
	return &User{ID: in.Name}, Send(ctx, "hello "+in.Name)
}

// byQuery authenticates a connection as the user in its URL.
func byQuery(_ context.Context, r *http.Request) (*User, error) {
	return &User{ID: r.URL.Query().Get("user")}, nil
}

// running is a Server that serves a test.
type running struct {
	*Server
	URL  string
	stop func() // returns when Run has returned; may be called twice
}

// serve runs a server until the test ends, or until it is stopped.
func serve(t testing.TB, s *Server) *running {
	t.Helper()
	if s.Logger == nil { // shown when the test fails
		s.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if s.Jobs == nil {
		s.Jobs = jobs.NewClient(s.Redis)
		s.Jobs.Handles = []jobs.Handler{s.Handlers.Presence(s.Redis, s.Prefix)}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	front := httptest.NewServer(s)
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			done.Wait()
			front.Close()
		})
	}
	t.Cleanup(stop)
	redistest.Eventually(t, patience, "the server to run", s.Ready)
	return &running{s, "ws" + strings.TrimPrefix(front.URL, "http"), stop}
}

// device is a client's end of a connection.
type device struct {
	*websocket.Conn
	t testing.TB
}

func dial(t testing.TB, url string) *device {
	t.Helper()
	conn, resp, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatalf("dial %s: %v (%v)", url, err, resp)
	}
	t.Cleanup(func() { conn.Close() })
	return &device{conn, t}
}

// dialAs connects as a user whom byName authenticates.
func dialAs(t testing.TB, s *running, user string) *device {
	t.Helper()
	d := dial(t, s.URL)
	d.say(`{"Name":` + quote(user) + `}`)
	d.expect("hello " + user)
	return d
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

func (d *device) say(text string) {
	d.t.Helper()
	if err := d.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		d.t.Fatal(err)
	}
}

// next returns the next message.
func (d *device) next() string {
	d.t.Helper()
	d.SetReadDeadline(time.Now().Add(patience))
	_, data, err := d.ReadMessage()
	if err != nil {
		d.t.Fatalf("read: %v", err)
	}
	return string(data)
}

func (d *device) expect(want string) {
	d.t.Helper()
	if got := d.next(); got != want {
		d.t.Fatalf("received %q, want %q", got, want)
	}
}

// expectClose reads until the connection is closed, and fails when there is a
// message before or another code.
func (d *device) expectClose(code int) {
	d.t.Helper()
	d.SetReadDeadline(time.Now().Add(patience))
	_, data, err := d.ReadMessage()
	if !websocket.IsCloseError(err, code) {
		d.t.Fatalf("received %q, %v; want close %d", data, err, code)
	}
}

// outside returns a context that can send, as a program without handlers makes
// it.
func outside(rdb redis.UniversalClient) context.Context {
	return NewSender(rdb).Context(context.Background())
}

func online(t testing.TB, ctx context.Context, user string) bool {
	t.Helper()
	on, err := IsOnline(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	return on
}

// forgetMessages has Redis go back to before a channel was sent anything. Who
// holds its connections stays.
func forgetMessages(t *testing.T, ctx context.Context, rdb redis.UniversalClient, ch channel) {
	t.Helper()
	k := newKeyspace("")
	state, err := rdb.Get(ctx, k.state(ch)).Result()
	if err != nil {
		t.Fatal(err)
	}
	_, servers, _ := strings.Cut(state, " ")
	state = formatVersion + strings.Repeat("0", 4*sequenceDigits+1) + " " + servers
	if err := errors.Join(rdb.Del(ctx, k.log(ch)).Err(), rdb.Set(ctx, k.state(ch), state, 0).Err()); err != nil {
		t.Fatal(err)
	}
}
