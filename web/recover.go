package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
)

// recovered answers with status 500 when h panics, and writes the panic to the log.
// If part of an answer has been sent already, the connection is cut instead, so
// that the client does not take the part for the whole.
func (s *Server) recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		returned := false
		defer func() {
			v := recover()
			switch {
			case returned:
				return
			case v == http.ErrAbortHandler:
				panic(v)
			case v == nil: // runtime.Goexit, after which net/http closes the connection
				s.logger().Error("a handler ended its goroutine with runtime.Goexit", "method", r.Method, "path", r.URL.Path)
				if !tracked.started {
					answerLast(w)
				}
				return
			}
			s.logger().Error("panic while serving a request", "method", r.Method, "path", r.URL.Path,
				"panic", guard.Text(v), "stack", string(debug.Stack()))
			if tracked.started {
				panic(http.ErrAbortHandler)
			}
			writeError(w, http.StatusInternalServerError, "internal server error")
		}()
		h.ServeHTTP(tracked, r)
		returned = true
	})
}

// answerLast answers with status 500 in a goroutine that ends: nobody but us sends
// what was written.
func answerLast(w http.ResponseWriter) {
	const body = `{"error":"internal server error"}` + "\n"
	w.Header().Set("Connection", "close")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, body) // The client may have gone.
	_ = http.NewResponseController(w).Flush()
}

// trackedWriter knows whether an answer has begun. It passes on what the server's
// own writer can do: streaming, hijacking and sending files.
type trackedWriter struct {
	http.ResponseWriter
	started     bool
	ownDeadline atomic.Bool // the handler has set one for the body
}

// SetReadDeadline is what http.ResponseController calls for a handler.
func (t *trackedWriter) SetReadDeadline(deadline time.Time) error {
	t.ownDeadline.Store(true)
	return http.NewResponseController(t.ResponseWriter).SetReadDeadline(deadline)
}

// Unwrap lets http.ResponseController reach the server's own writer.
func (t *trackedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *trackedWriter) WriteHeader(status int) {
	// An informational answer comes before the real one.
	if status >= 200 || status == http.StatusSwitchingProtocols {
		t.started = true
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *trackedWriter) Write(p []byte) (int, error) {
	t.started = true
	return t.ResponseWriter.Write(p)
}

func (t *trackedWriter) ReadFrom(src io.Reader) (int64, error) {
	t.started = true
	return io.Copy(t.ResponseWriter, src)
}

func (t *trackedWriter) Flush() { _ = t.FlushError() }

func (t *trackedWriter) FlushError() error {
	t.started = true
	return http.NewResponseController(t.ResponseWriter).Flush()
}

func (t *trackedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err == nil {
		t.started = true
	}
	return conn, rw, err
}
