package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
)

// upgrader answers the request. The connection that it makes is not used: one of
// this package holds no buffer while it waits, writes one frame to many clients
// and many frames at once, and checks closes and compressed sizes, which the
// library's connection cannot be told to do.
func upgrader(deflate bool) *websocket.Upgrader {
	return &websocket.Upgrader{
		ReadBufferSize:    256, // those of the request are given back
		WriteBufferPool:   new(sync.Pool),
		EnableCompression: deflate,
		Subprotocols:      []string{Protocol},
		CheckOrigin:       func(*http.Request) bool { return true }, // checked before OnConnect
	}
}

var plainUpgrader, deflateUpgrader = upgrader(false), upgrader(true)

// ServeHTTP opens a connection. A request that is refused is answered with
// {"error": …} and 403 for a foreign origin, 401 or the status given to Reject
// when OnConnect refused, 426 when it is no WebSocket request, 400 or 405 when it is
// one that cannot be fulfilled, of which OnConnect is not told, 429 when the user
// that OnConnect returned has MaxPerUser connections, 500 when OnConnect panicked,
// 503 when it could not decide, or the server is not running, has MaxConnections,
// holds MaxUnauthenticated bytes, or cannot reach Redis. Answers with 429 and 503 that do not come from Reject have a
// Retry-After.
//
// A user that OnConnect returns is part of presence before the client learns
// that its connection is open.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.hub.Load()
	if h == nil || !h.enter() {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "the server is not running")
		return
	}
	defer h.work.Done()
	switch {
	case !checkUpgrade(w, r): // and answered
	case !h.allowed(r):
		refuse(w, http.StatusForbidden, fmt.Sprintf("origin %.100s is not allowed", r.Header.Get("Origin")))
	case !h.reserve():
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, "the server has as many connections as it may have")
	default:
		if !h.open(newConnection(h), w, r) {
			h.unreserve()
		}
	}
}

// open runs OnConnect, joins its user, and upgrades. It returns whether the
// connection was opened.
func (h *hub) open(c *connection, w http.ResponseWriter, r *http.Request) (opened bool) {
	r = withSubprotocols(r)
	if c.holding.enter() != nil {
		w.Header().Set("Retry-After", "5")
		refuse(w, http.StatusServiceUnavailable, errCrowded.reason)
		return false
	}
	defer func() {
		if !opened {
			c.holding.leave()
		}
	}()
	c.resumes = slices.Contains(websocket.Subprotocols(r), Protocol)
	user, err := h.connect(c, r)
	if err != nil {
		refuseError(w, err)
		return false
	}
	if user != nil {
		switch err := c.accept(user); {
		case errors.Is(err, errTooMany):
			w.Header().Set("Retry-After", "5")
			refuse(w, http.StatusTooManyRequests, "too many connections")
			return false
		case err != nil:
			h.refusing.Note(err, "user", user.ID)
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, whyLater(err))
			return false
		}
		h.refusing.Note(nil)
	}
	conn, err := c.upgrade(w, r) // answers the request itself when it fails
	if err != nil {
		c.end()
		return false
	}
	if !h.add(c) {
		c.refuse(conn)
		return false
	}
	c.start(conn)
	return true
}

// upgrade makes a WebSocket of a request. permessage-deflate is negotiated when
// the server offers it too.
func (c *connection) upgrade(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	u := plainUpgrader
	if c.hub.compress > 0 && offersDeflate(r.Header) {
		c.deflate, u = true, deflateUpgrader
	}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		return nil, err
	}
	return ws.NetConn(), nil
}

// refuse closes a connection that was upgraded while the server stopped.
func (c *connection) refuse(conn net.Conn) {
	f := closeFrame(CloseRestart, "the server is restarting")
	if conn.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		_, _ = conn.Write(prepare(f).plain) // as it goes
	}
	_ = conn.Close()
	c.end()
}

// connect decides about a request: a user, Anonymous, or nil when Authenticate
// is to decide.
func (h *hub) connect(c *connection, r *http.Request) (user *User, err error) {
	if h.handlers.OnConnect != nil {
		ctx := jobs.WithRequestID(context.WithValue(h.base, connectionKey{}, c), newID())
		err = h.call(ctx, func(ctx context.Context) error {
			user, err = h.handlers.OnConnect(ctx, r)
			return err
		}, nil)
		if err == nil && user != nil {
			err = user.check()
		}
	}
	if err == nil && user == nil && h.handlers.Authenticate == nil {
		user = Anonymous
	}
	return user, err
}

// refuseError answers a request about which OnConnect did not decide in favour.
func refuseError(w http.ResponseWriter, err error) {
	var v *judged
	status := http.StatusUnauthorized
	switch {
	case errors.As(err, &v) && v.status >= 400 && v.status <= 599:
		status = v.status
	case errors.Is(err, errPanic):
		status = http.StatusInternalServerError
	case !refuses(err):
		w.Header().Set("Retry-After", "1")
		status = http.StatusServiceUnavailable
	}
	refuse(w, status, reasonFor(err))
}

func refuse(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": reason})
}
