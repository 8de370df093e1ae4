package web

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/queuerun/queuerun/socket"
)

const (
	requestIDHeader = "X-Request-Id"
	maxRequestID    = 128
)

// app prepares the context of requests for the program's own handler: the id of
// the request and the user who makes it.
func (s *Server) app() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := requestID(r)
		w.Header().Set(requestIDHeader, id)
		ctx := jobs.WithRequestID(r.Context(), id)
		if s.Authenticate != nil {
			user, err := s.Authenticate(r.WithContext(ctx))
			if err != nil {
				s.refuse(w, r, err)
				return
			}
			if user != nil {
				if len(user.ID) > socket.MaxUserID || !utf8.ValidString(user.ID) {
					s.refuse(w, r, fmt.Errorf("%w: Authenticate returned %d bytes that begin with %.40q", socket.ErrUserID, len(user.ID), user.ID))
					return
				}
				ctx = jobs.WithUserID(ctx, user.ID)
			}
		}
		if s.App == nil {
			http.NotFound(w, r)
			return
		}
		s.App.ServeHTTP(w, r.WithContext(ctx))
	})
}

// refuse answers a request that Authenticate returned an error for. Only the reason
// of a *socket.Rejection was written for the client to see; other errors may tell
// about the inside of the program, so they go to the log. One that is no verdict
// about the client, as that a database is away, is answered with 503.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, reason := http.StatusUnauthorized, "unauthorized"
	broken := guard.Call(func() {
		var rejection *socket.Rejection
		if !errors.As(err, &rejection) {
			if !socket.Refuses(err) {
				status, reason = http.StatusServiceUnavailable, "not available, try again"
			}
			return
		}
		reason = rejection.Reason
		if rejection.Status >= 400 && rejection.Status <= 599 {
			status = rejection.Status
		}
	})
	switch {
	case broken != nil:
		status, reason = http.StatusInternalServerError, "internal server error"
		s.logger().Error("read an error of Authenticate", "method", r.Method, "path", r.URL.Path, "error", broken)
	case reason == "unauthorized" || status == http.StatusServiceUnavailable:
		s.logger().Warn("authenticate request", "method", r.Method, "path", r.URL.Path, "error", guard.Text(err))
	}
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	writeError(w, status, reason)
}

// requestID returns the id that a proxy in front gave the request, if it is one
// that may safely go into headers and logs, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get(requestIDHeader)
	if id == "" || len(id) > maxRequestID {
		return rand.Text()
	}
	for _, c := range []byte(id) {
		if c <= ' ' || c > '~' {
			return rand.Text()
		}
	}
	return id
}
