package web_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a Server that runs for the length of a test.
type running struct {
	t    *testing.T
	url  string
	stop func() error // stops it and returns what Run returned
}

// start runs the server on a free port.
func start(t *testing.T, ctx context.Context, s *web.Server) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Listener = listener
	if s.Redis == nil {
		// Nothing listens on port 1.
		rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { rdb.Close() })
		s.Redis = rdb
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		result = s.Run(ctx)
	}()
	r := &running{t: t, url: "http://" + listener.Addr().String()}
	r.stop = func() error {
		cancel()
		<-ended
		return result
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return r
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   string
}

// get requests a path, after change has had a look at the request.
func (r *running) get(path string, change ...func(*http.Request)) answer {
	r.t.Helper()
	req, err := http.NewRequest("GET", r.url+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, strings.TrimSpace(string(body))}
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) func(*http.Request) {
	return func(r *http.Request) { r.Host = name }
}

func method(name string) func(*http.Request) {
	return func(r *http.Request) { r.Method = name }
}

// open lets everybody in.
var open = &web.Access{Open: true}

func withPassword(p string) *web.Access {
	return &web.Access{
		Principals: []web.Principal{{Name: "password", Secret: p, Scopes: web.AllScopes}},
		Logger:     slog.New(slog.DiscardHandler),
	}
}
