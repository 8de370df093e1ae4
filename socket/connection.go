package socket

import (
	"context"
	"crypto/rand"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// connection is one client. Its reader lives as long as the WebSocket; a
// goroutine that runs a handler exists only while there is a message to handle,
// and one that writes only while the client takes no more.
type connection struct {
	hub  *hub
	id   string
	user *User // nil until accepted; whoever has the turn may use it

	// turn is held by the handler that is running, if any: messages are handled
	// one at a time.
	turn    sync.Mutex
	deflate bool        // permessage-deflate was negotiated
	resumes bool        // the client speaks Protocol
	greeted bool        // and has sent its first frame; the reader's, or whose turn it is
	pinged  atomic.Bool // a pong is due
	waiting atomic.Bool // the reader waits for the turn or the rate, and so hears nothing
	at      positions   // that it named, until it is accepted; whose turn it is

	holding holding

	in     inbound // the reader's
	bucket bucket  // the reader's
	spoke  spoke   // the wheel's

	rising sync.Mutex // held while the connection is brought up to date with a topic that it joined while open

	mu       sync.Mutex
	conn     net.Conn        // nil until the upgrade
	raw      syscall.RawConn // nil when conn is not simply a socket
	out      outbound
	follows  follows // its channels
	opened   bool    // it is told when the topics of its user change
	closing  bool    // a close frame is queued or written
	violated bool    // the client broke the protocol and is not read any more
	farewell bool    // the client's close frame has been read
	ended    bool
	goodbye  bool // it is closed for good; see closedWith
}

func newID() string { return rand.Text() }

func newConnection(h *hub) *connection {
	return &connection{hub: h, id: newID(), holding: holding{of: &h.strangers}}
}

type connectionKey struct{}

// connectionFrom returns the connection whose handler is running, or nil.
func connectionFrom(ctx context.Context) *connection {
	c, _ := ctx.Value(connectionKey{}).(*connection)
	return c
}

// start begins to read and write on a connection that was upgraded and added to
// the hub.
func (c *connection) start(conn net.Conn) {
	raw := socketOf(conn)
	c.in.conn, c.in.raw = conn, raw
	c.in.ready = c.in.readReady()
	c.in.waited = true // for the client to connect
	c.mu.Lock()
	c.conn, c.raw = conn, raw
	c.write()
	c.mu.Unlock()
	c.hub.work.Go(c.read)
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
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		cut(conn)
	}
	c.part()
	c.holding.leave()
	c.hub.remove(c)
}

// cut closes the WebSocket at once. Its reader and writer fail, and do the rest
// of end, which may have to wait for Redis.
func (c *connection) cut() {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	if conn != nil {
		cut(conn)
	}
}

// cut closes a connection without a word, and so without waiting for anything:
// TLS would say goodbye.
func cut(conn net.Conn) {
	if over, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = over.NetConn()
	}
	_ = conn.Close() // nothing is to be done about an error
}
