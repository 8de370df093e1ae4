package client

import (
	"time"

	"github.com/gorilla/websocket"
)

// farewell is how long the server has, when the client leaves, to take what is in
// the buffer and to answer the close frame.
const farewell = 5 * time.Second

// kick starts a writer when there is something to write and none is running. The
// caller holds the mutex. l may be nil.
func (c *Client) kick(l *link) {
	if l == nil || l.writing || l.ended || l.closed {
		return
	}
	if l.beatDue || l.leaving && !l.handling || l.accepted && l.held == nil && len(c.out.waiting) > 0 {
		l.writing = true
		l.work.Go(func() { c.drain(l) })
	}
}

// drain writes until nothing is left.
func (c *Client) drain(l *link) {
	for {
		f := c.nextOut(l)
		if f == nil {
			return
		}
		err := l.write(f, positive(c.WriteTimeout, DefaultWriteTimeout))
		c.wrote(l, f, err)
		if err != nil {
			_ = l.conn.Close() // the reader notices
		}
	}
}

// nextOut returns what to write next, or nil when the writer is to end.
func (c *Client) nextOut(l *link) *outgoing {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case l.ended || l.closed:
	case l.beatDue && !c.holdBack(l, true):
		l.beatDue = false
		return &outgoing{opcode: websocket.TextMessage, data: beatFrame}
	case l.accepted && len(c.out.waiting) > 0:
		if c.holdBack(l, false) {
			break
		}
		f := c.out.waiting[0]
		f.writing = true
		return f
	case l.leaving && !l.handling:
		l.closed = true
		return &outgoing{opcode: websocket.CloseMessage, data: websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")}
	}
	l.writing = false
	return nil
}

// write writes a frame. When it fails, the server has not got all of it and so
// does nothing with it.
func (l *link) write(f *outgoing, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	if f.opcode == websocket.CloseMessage {
		return l.ws.WriteControl(f.opcode, f.data, deadline)
	}
	if err := l.ws.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return l.ws.WriteMessage(f.opcode, f.data)
}

// wrote takes a frame out of the buffer that was written, and leaves one there
// that was not.
func (c *Client) wrote(l *link, f *outgoing, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.spoke = time.Now()
	if err != nil {
		l.closed = true // nothing more is to be written
		// Run finds out when the handler has returned, which may wait for room.
		c.link = nil
		c.moved()
	}
	if !f.writing { // a heartbeat or the end
		return
	}
	f.writing = false
	if err == nil || f.gone {
		c.out.pop()
		f.sent = true
		c.moved()
	}
}

// leave closes the connection after what is in the buffer and after the handler
// that is running, but not much later.
func (c *Client) leave(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.moved()
	if l.ended {
		return
	}
	l.leaving = true
	c.kick(l)
	l.work.Add(1)
	l.farewell = time.AfterFunc(farewell, func() {
		defer l.work.Done()
		_ = l.conn.Close() // the reader notices
	})
}
