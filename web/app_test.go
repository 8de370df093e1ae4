package web_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/socket"
	"github.com/queuerun/queuerun/web"
)

func TestRequestCarriesContextUserAndID(t *testing.T) {
	type key struct{}
	s := start(t, context.WithValue(t.Context(), key{}, "from Run"), &web.Server{
		Authenticate: func(r *http.Request) (*socket.User, error) {
			if r.Context().Value(key{}) != "from Run" || jobs.RequestID(r.Context()) == "" {
				return nil, errors.New("the context is missing something")
			}
			return &socket.User{ID: r.Header.Get("X-User")}, nil
		},
		App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%v, user %q, request %q", r.Context().Value(key{}), jobs.UserID(r.Context()), jobs.RequestID(r.Context()))
		}),
	})
	got := s.get("/", header("X-User", "ann"), header("X-Request-Id", "abc-1"))
	if got.body != `from Run, user "ann", request "abc-1"` || got.header.Get("X-Request-Id") != "abc-1" {
		t.Errorf("got %+v", got)
	}
	if got := s.get("/"); !strings.Contains(got.body, `user ""`) {
		t.Errorf("nobody signed in: got %+v", got)
	}
}

func TestRequestIDIsNewUnlessTheGivenOneIsHarmless(t *testing.T) {
	s := start(t, t.Context(), &web.Server{App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, jobs.RequestID(r.Context()))
	})})
	for _, given := range []string{"", "with space", strings.Repeat("x", 129), "caf\u00e9"} {
		got := s.get("/", header("X-Request-Id", given))
		if len(got.body) < 20 || got.body == given || got.header.Get("X-Request-Id") != got.body {
			t.Errorf("given %q: got %q and header %q", given, got.body, got.header.Get("X-Request-Id"))
		}
	}
	if first, second := s.get("/"), s.get("/"); first.body == second.body {
		t.Error("two requests have the same id")
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	var err error
	s := start(t, t.Context(), &web.Server{
		Authenticate: func(*http.Request) (*socket.User, error) { return nil, err },
		App:          http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "let in") }),
	})
	for _, test := range []struct {
		err    error
		status int
		body   string
	}{
		{nil, 200, "let in"},
		{errors.New("the database at 10.0.0.3 is down"), 401, `{"error":"unauthorized"}`},
		{socket.Reject(403, "no longer a member"), 403, `{"error":"no longer a member"}`},
		{fmt.Errorf("check token: %w", socket.Reject(401, "token expired")), 401, `{"error":"token expired"}`},
		{&socket.Rejection{Status: 7, Reason: "odd"}, 401, `{"error":"odd"}`},
		{fmt.Errorf("look up the session: %w", &net.OpError{Op: "dial", Err: errors.New("connection refused")}), 503, `{"error":"not available, try again"}`},
		{context.DeadlineExceeded, 503, `{"error":"not available, try again"}`},
		{(*unreadable)(nil), 401, `{"error":"unauthorized"}`},
		{(*socket.Rejection)(nil), 500, `{"error":"internal server error"}`},
	} {
		err = test.err
		got := s.get("/")
		if got.status != test.status || got.body != test.body {
			t.Errorf("%T: got %d %s, want %d %s", test.err, got.status, got.body, test.status, test.body)
		}
		if err != nil && got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: content type %q", test.err, got.header.Get("Content-Type"))
		}
	}
}

// unreadable is an error whose text cannot be had of a nil one.
type unreadable struct{ text string }

func (u *unreadable) Error() string { return u.text }

func TestAUserIDThatIsTooLongIsRefused(t *testing.T) {
	for id, want := range map[string]int{
		strings.Repeat("u", socket.MaxUserID):   200,
		strings.Repeat("u", socket.MaxUserID+1): 401,
		"\xff":                                  401,
	} {
		s := start(t, t.Context(), &web.Server{
			Authenticate: func(*http.Request) (*socket.User, error) { return &socket.User{ID: id}, nil },
			App:          http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "let in") }),
		})
		if got := s.get("/"); got.status != want {
			t.Errorf("%d bytes: got %+v", len(id), got)
		}
	}
}

func TestAnonymousIsNobody(t *testing.T) {
	s := start(t, t.Context(), &web.Server{
		Authenticate: func(*http.Request) (*socket.User, error) { return socket.Anonymous, nil },
		App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%q", jobs.UserID(r.Context()))
		}),
	})
	if got := s.get("/"); got.body != `""` {
		t.Errorf("got %+v", got)
	}
}
