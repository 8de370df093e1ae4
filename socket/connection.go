package socket

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// connection is one client. Its reader lives as long as the WebSocket; a
// goroutine that writes and one that runs a handler exist only while there is
// something to write or to handle.
type connection struct {
	hub   *hub
	id    string
	round int // when it is pinged; the hub's

	// turn is held by the handler that is running, if any: messages are handled
	// one at a time. The holder may use user.
	turn chan struct{}
	user *User // nil until accepted

	mu        sync.Mutex
	ws        *websocket.Conn // nil until the upgrade
	out       outbound
	sub       *subscription // nil without a user
	authTimer *time.Timer   // nil once accepted
	closing   bool          // a close frame is queued or written
	ended     bool
	goodbye   bool // it is closed for good; see closedWith
}

func newID() string { return rand.Text() }

func newConnection(h *hub) *connection {
	return &connection{hub: h, id: newID(), turn: make(chan struct{}, 1)}
}

type connectionKey struct{}

// connectionFrom returns the connection whose handler is running, or nil.
func connectionFrom(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

// start begins to read and write on an upgraded connection.
func (c *connection) start(ws *websocket.Conn) {
	ws.SetReadLimit(c.hub.maxMessage)
	ws.SetPongHandler(func(string) error { return c.alive() })
	c.mu.Lock()
	c.ws = ws
	if c.user == nil {
		c.authTimer = time.AfterFunc(c.hub.auth, func() {
			c.finish(closeFrame(CloseAuthTimeout, "not authenticated in time"))
		})
	}
	c.write()
	c.mu.Unlock()
	c.hub.work.Go(c.read)
}

// accept makes the connection one of the user's, or Anonymous. The caller
// holds the turn, or has not started the connection yet.
func (c *connection) accept(user *User) error {
	if user != Anonymous {
		sub, err := c.hub.join(c, user.ID)
		if err != nil {
			return err
		}
		c.mu.Lock()
		ended := c.ended
		if !ended {
			c.sub = sub
		}
		c.mu.Unlock()
		if ended { // while it joined, and so without leaving
			c.hub.leave(c, sub)
			return ErrClosed
		}
	}
	c.user = user
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.authTimer != nil {
		c.authTimer.Stop()
		c.authTimer = nil
	}
	return nil
}

// end closes the WebSocket at once and takes the connection out of presence. It
// may be called more than once and from everywhere.
func (c *connection) end() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended = true
	c.out.drop()
	ws, sub := c.ws, c.sub
	if c.authTimer != nil {
		c.authTimer.Stop()
	}
	c.mu.Unlock()
	if ws != nil {
		_ = ws.Close() // nothing is to be done about an error
	}
	if sub != nil {
		c.hub.leave(c, sub)
	}
	c.hub.remove(c)
}

// refuseOpen closes a connection that was upgraded while the server stopped.
func (c *connection) refuseOpen(ws *websocket.Conn) {
	f := closeFrame(CloseRestart, "the server is restarting")
	_ = ws.WriteControl(websocket.CloseMessage, f.data, time.Now().Add(time.Second)) // as it goes
	_ = ws.Close()
	c.end()
}
