package socket

import (
	"errors"
	"net"
	"sync"
	"time"
)

// directly is how much the one who queues something writes, without waiting;
// more is left to a writer, which may wait.
const directly = 64 << 10

// write writes what is queued, unless a writer does so already or the socket is
// full; then a writer is started. It never waits for the client. The caller holds
// mu.
func (c *connection) write() {
	if !c.writable() || c.out.writing {
		return
	}
	if c.raw != nil && c.writeNow() {
		return
	}
	c.startWriter()
}

func (c *connection) startWriter() {
	c.out.writing = true
	c.hub.work.Go(c.drain)
}

func (c *connection) writable() bool {
	return len(c.out.frames) > 0 && !c.out.held && !c.ended && c.conn != nil
}

// coalesced is how many bytes of frames are copied together for one write. A
// copy is cheaper than a vector of many small frames.
const coalesced = 16 << 10

var writeBuffers = sync.Pool{New: func() any { return new([coalesced]byte) }}

// together returns frames in one piece, in a buffer if they are several.
func together(frames [][]byte, buffer *[coalesced]byte) []byte {
	if len(frames) == 1 {
		return frames[0]
	}
	b := buffer[:0]
	for _, f := range frames {
		b = append(b, f...)
	}
	return b
}

// writeNow writes until nothing is left. It returns false when it had to stop
// before: the socket is full, or failed, or this takes long.
func (c *connection) writeNow() bool {
	for total := 0; total < directly; {
		frames := c.out.next(coalesced)
		var buffer *[coalesced]byte
		if len(frames) > 1 {
			buffer = writeBuffers.Get().(*[coalesced]byte)
		}
		b := together(frames, buffer)
		n, err := writeNow(c.raw, b)
		if buffer != nil {
			writeBuffers.Put(buffer)
		}
		c.wrote(n)
		switch {
		case len(c.out.frames) == 0:
			return true
		case err != nil || n < len(b): // the writer finds out about the error
			return false
		}
		total += n
	}
	return false
}

// wrote counts what was written. The caller holds mu.
func (c *connection) wrote(n int) {
	c.out.wrote(n)
	if c.closing && !c.out.closed && len(c.out.frames) == 0 { // nothing follows a close
		c.out.closed = true
		c.closeWritten()
	}
}

// drain writes until nothing is left, and waits for the client when it has to.
func (c *connection) drain() {
	buffer := writeBuffers.Get().(*[coalesced]byte)
	defer writeBuffers.Put(buffer)
	for {
		c.mu.Lock()
		if !c.writable() {
			c.out.writing = false
			over := c.out.closed && c.farewell
			if c.conn != nil && !c.ended {
				_ = c.conn.SetWriteDeadline(time.Time{}) // it would fail the next write
			}
			c.mu.Unlock()
			if over {
				c.end()
			}
			return
		}
		frames := c.out.next(coalesced)
		c.out.begun = len(frames)
		b := together(frames, buffer)
		c.mu.Unlock()

		n, err := c.writeAll(b)

		c.mu.Lock()
		c.wrote(n)
		c.mu.Unlock()
		if err != nil {
			c.end()
			return
		}
	}
}

// piece is how many bytes are written at once, in which time there is no telling
// whether the client takes any.
const piece = 64 << 10

// writeAll writes b. It fails when the client takes nothing for as long as
// Server.WriteTimeout.
func (c *connection) writeAll(b []byte) (n int, err error) {
	for n < len(b) {
		if err := c.conn.SetWriteDeadline(time.Now().Add(c.hub.write)); err != nil {
			return n, err
		}
		k, err := c.conn.Write(b[n:min(n+piece, len(b))])
		n += k
		if k > 0 {
			c.in.hear() // who takes something is alive, though a pong may be far behind
		}
		var timeout net.Error
		if err != nil && (k == 0 || c.raw == nil || !errors.As(err, &timeout) || !timeout.Timeout()) {
			return n, err // TLS cannot go on after a time-out
		}
	}
	return n, nil
}
