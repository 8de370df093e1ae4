package socket

import (
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// outbound is what waits to be written to a connection, in order. The
// connection's mutex guards it.
type outbound struct {
	frames  []frame
	bytes   int
	writing bool // a writer is running
	held    bool // nothing is written for now
}

func (o *outbound) drop() { o.frames, o.bytes = nil, 0 }

// send queues a frame.
func (c *connection) send(f frame) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended {
		return ErrClosed
	}
	if size := c.out.bytes + f.size(); c.out.bytes > 0 && size > c.hub.maxQueued {
		c.out.drop()
		c.queueClose(closeFrame(CloseSlow, "reading too slowly"))
		return ErrClosed
	}
	c.out.frames = append(c.out.frames, f)
	c.out.bytes += f.size()
	c.write()
	return nil
}

// finish closes the connection with a close frame, after what is queued.
func (c *connection) finish(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queueClose(f)
}

// fail closes the connection with a close frame, at once: what is queued would
// come too late or out of order.
func (c *connection) fail(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing {
		c.out.drop()
	}
	c.queueClose(f)
}

func (c *connection) queueClose(f frame) {
	if c.closing || c.ended {
		return
	}
	c.closedWith(closeCode(f))
	c.closing = true
	c.out.held = false
	c.out.frames = append(c.out.frames, f)
	c.write()
}

// ping writes a ping before what is queued: a client that reads slowly is alive,
// and its pong should not come too late.
func (c *connection) ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended || len(c.out.frames) > 0 && c.out.frames[0].opcode == websocket.PingMessage {
		return
	}
	c.out.frames = slices.Insert(c.out.frames, 0, frame{opcode: websocket.PingMessage})
	c.write()
}

// hold keeps what is sent from now on until release.
func (c *connection) hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.held = true
}

func (c *connection) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.held = false
	c.write()
}

// write starts a writer when there is something to write and none is running.
func (c *connection) write() {
	if len(c.out.frames) > 0 && !c.out.writing && !c.out.held && !c.ended && c.ws != nil {
		c.out.writing = true
		c.hub.work.Go(c.drain)
	}
}

// drain writes until nothing is left.
func (c *connection) drain() {
	for {
		c.mu.Lock()
		if len(c.out.frames) == 0 || c.out.held || c.ended {
			c.out.writing = false
			c.mu.Unlock()
			return
		}
		f := c.out.frames[0]
		c.out.frames[0] = frame{} // or the slice would keep its payload
		c.out.frames = c.out.frames[1:]
		c.mu.Unlock()
		if err := c.writeFrame(f); err != nil {
			c.end()
			return
		}
		c.mu.Lock()
		// What was dropped in the meantime is counted no more.
		c.out.bytes = max(0, c.out.bytes-f.size())
		c.mu.Unlock()
	}
}

// closeReply is how long a client has to answer a close frame.
const closeReply = 5 * time.Second

func (c *connection) writeFrame(f frame) error {
	deadline := time.Now().Add(c.hub.write)
	switch f.opcode {
	case websocket.CloseMessage:
		err := c.ws.WriteControl(f.opcode, f.data, deadline)
		_ = c.ws.SetReadDeadline(time.Now().Add(closeReply)) // fails only when it is closed
		return err
	case websocket.PingMessage:
		return c.ws.WriteControl(f.opcode, f.data, deadline)
	}
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return c.ws.WriteMessage(f.opcode, f.data)
}
