package web

import (
	"io"
	"net/http"
	"time"
)

// How long a client may take over a request for one of the server's own paths: to send
// the whole body, which almost all of them have none of, and to take the whole answer.
const (
	ownBodyTimeout   = 10 * time.Second
	ownAnswerTimeout = 2 * time.Minute
)

// defaultBodyTimeout is the default of Server.BodyTimeout.
const defaultBodyTimeout = 30 * time.Second

// hasBody reports whether a client has something to send. Without it net/http waits
// for the connection's end to end the context of the request: there must be no deadline
// then.
func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// bodyInTime gives the client ownBodyTimeout, if h does not change that. What h does not
// read of the body is read by net/http before it answers, and is in that time too.
func bodyInTime(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if hasBody(r) {
			// It can fail only where there is no connection to be held.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(ownBodyTimeout))
		}
		h.ServeHTTP(w, r)
	})
}

// answerInTime gives the client ownAnswerTimeout. net/http takes the deadline back
// after the answer. Nil stays nil.
func answerInTime(h http.Handler) http.Handler {
	if h == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ownAnswerTimeout))
		h.ServeHTTP(w, r)
	})
}

// piecesInTime gives the client BodyTimeout for each piece of a body that h reads, and
// for what h leaves of it. A handler that sets a deadline itself is left alone.
func (s *Server) piecesInTime(h http.Handler) http.Handler {
	timeout := s.BodyTimeout
	if timeout == 0 {
		timeout = defaultBodyTimeout
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked, ok := w.(*trackedWriter)
		if !ok || !hasBody(r) {
			h.ServeHTTP(w, r)
			return
		}
		body := &timedBody{ReadCloser: r.Body, of: tracked, timeout: timeout}
		body.extend() // in place of what it had until now
		timed := *r
		timed.Body = body
		h.ServeHTTP(w, &timed)
	})
}

// timedBody is a body of which each piece has to come in time.
type timedBody struct {
	io.ReadCloser
	of      *trackedWriter
	timeout time.Duration
	ended   bool
}

func (b *timedBody) Read(p []byte) (int, error) {
	// After the end net/http waits for that of the connection.
	if !b.ended {
		b.extend()
	}
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	return n, err
}

func (b *timedBody) extend() {
	if b.of.ownDeadline.Load() {
		return
	}
	var deadline time.Time
	if b.timeout > 0 {
		deadline = time.Now().Add(b.timeout)
	}
	_ = http.NewResponseController(b.of.ResponseWriter).SetReadDeadline(deadline)
}
