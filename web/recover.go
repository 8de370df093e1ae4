package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"runtime/debug"
)

// recovered answers with status 500 when h panics, and writes the panic to the log.
// If part of an answer has been sent already, the connection is cut instead, so
// that the client does not take the part for the whole.
func (s *Server) recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tracked := &trackedWriter{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v)
			}
			s.logger().Error("panic while serving a request", "method", r.Method, "path", r.URL.Path,
				"panic", v, "stack", string(debug.Stack()))
			if tracked.started {
				panic(http.ErrAbortHandler)
			}
			writeError(w, http.StatusInternalServerError, "internal server error")
		}()
		h.ServeHTTP(tracked, r)
	})
}

// trackedWriter knows whether an answer has begun. It passes on what the server's
// own writer can do: streaming, hijacking and sending files.
type trackedWriter struct {
	http.ResponseWriter
	started bool
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
