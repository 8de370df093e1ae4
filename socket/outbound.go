package socket

import (
	"maps"
	"slices"

	"github.com/gorilla/websocket"
)

// outbound is what waits to be written to a connection, in order. The
// connection's mutex guards it.
type outbound struct {
	frames  [][]byte          // as they are written; shared with other connections
	size    int               // what they count for, exactly
	begun   int               // so many of them are being written or are written in part, and must be finished
	writing bool              // a writer is running
	held    bool              // nothing is written for now
	closed  bool              // the close frame has been written
	latest  map[string][]byte // by channel and key of Latest: the frame that waits, or has waited
}

// overhead is what a queued frame counts for besides its bytes.
const overhead = 64

// add queues a frame as the i-th.
func (o *outbound) add(i int, b []byte) {
	o.frames = slices.Insert(o.frames, i, b)
	o.size += len(b) + overhead
}

// supersede takes out the frame that waits under a key of Latest, for another one
// comes in its place: at the end, where its position belongs.
func (o *outbound) supersede(key string) {
	old, ok := o.latest[key]
	if !ok {
		return
	}
	delete(o.latest, key)
	i := slices.IndexFunc(o.frames[o.begun:], func(f []byte) bool { return &f[0] == &old[0] })
	if i >= 0 {
		o.size -= len(old) + overhead
		o.frames = slices.Delete(o.frames, o.begun+i, o.begun+i+1)
	}
}

// note remembers a frame that was added under a key of Latest, for supersede.
func (o *outbound) note(key string, b []byte) {
	if o.latest == nil {
		o.latest = map[string][]byte{}
	}
	if len(o.latest) > 2*len(o.frames)+16 {
		o.forget()
	}
	o.latest[key] = b
}

// forget takes out of latest what does not wait any more: a queue that is never
// empty would keep it.
func (o *outbound) forget() {
	waiting := make(map[*byte]struct{}, len(o.frames))
	for _, f := range o.frames[o.begun:] {
		waiting[&f[0]] = struct{}{}
	}
	maps.DeleteFunc(o.latest, func(_ string, b []byte) bool {
		_, waits := waiting[&b[0]]
		return !waits
	})
}

// wrote takes out of the queue what was written of it. The rest of a frame stays.
func (o *outbound) wrote(n int) {
	if n == 0 {
		return // a frame that was begun still is
	}
	o.size -= n
	done := 0
	for ; done < len(o.frames) && n >= len(o.frames[done]); done++ {
		n -= len(o.frames[done])
		o.size -= overhead
		o.frames[done] = nil // or the array would keep it
	}
	o.begun = 0
	if o.frames = o.frames[done:]; len(o.frames) == 0 {
		o.frames, o.latest = nil, nil // an idle connection keeps no array
	} else if n > 0 {
		o.frames[0] = o.frames[0][n:]
		o.begun = 1
	}
}

// drop takes out everything that was not begun.
func (o *outbound) drop() {
	for _, b := range o.frames[o.begun:] {
		o.size -= len(b) + overhead
	}
	clear(o.frames[o.begun:])
	o.frames, o.latest = o.frames[:o.begun], nil
}

// next returns the frames to be written next, as many as fit into limit bytes,
// and at least one.
func (o *outbound) next(limit int) [][]byte {
	n, size := 1, len(o.frames[0])
	for n < len(o.frames) && size+len(o.frames[n]) <= limit {
		size += len(o.frames[n])
		n++
	}
	return o.frames[:n]
}

// opcodeOf is the opcode of a frame that was not begun.
func opcodeOf(b []byte) int { return int(b[0] & opcodeBits) }

// post queues messages, and writes those that are given together together. They
// may be given to other connections too. A close is written after what is queued
// and ends the rest.
func (c *connection) post(messages ...*prepared) error {
	threshold := 0
	if c.deflate {
		threshold = c.hub.compress
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		if c.closing || c.ended {
			return ErrClosed
		}
		b := m.bytes(threshold)
		if m.latest != "" {
			c.out.supersede(m.latest)
		}
		switch {
		case opcodeOf(b) == websocket.CloseMessage:
			c.queueClose(m)
			return nil
		case !c.makeRoom(len(b) + overhead):
			c.out.drop()
			c.queueClose(prepare(closeFrame(CloseSlow, "reading too slowly")))
			return ErrClosed
		}
		if len(messages) == 1 && c.writeAlone(b) {
			return nil
		}
		c.out.add(len(c.out.frames), b)
		if m.latest != "" {
			c.out.note(m.latest, b)
		}
	}
	c.write()
	return nil
}

// makeRoom tells whether a frame that counts for so many bytes may be queued. When
// there is no room, it writes what the socket takes without waiting: much that is
// given at once does not make the client a slow one. The caller holds mu.
func (c *connection) makeRoom(size int) bool {
	for len(c.out.frames) > 0 && c.out.size+size > c.hub.maxQueued {
		before := c.out.size
		if c.raw == nil || c.out.writing || !c.writable() {
			return false
		}
		if c.writeNow(); c.out.size == before {
			return false
		}
	}
	return true
}

// writeAlone writes a frame past the queue when nothing waits there. What the socket
// does not take of it is queued, and a writer begins with that at once: no later
// frame of Latest can take its place. It returns false when the frame has to be
// queued as a whole.
func (c *connection) writeAlone(b []byte) bool {
	if !c.nothingWaits() || len(b) > directly {
		return false
	}
	n, _ := writeNow(c.raw, b) // the writer finds out about the error
	if n < len(b) {
		c.queueRest(b, n)
	}
	return true
}

// nothingWaits tells whether a frame may be written past the queue. The caller holds mu.
func (c *connection) nothingWaits() bool {
	return len(c.out.frames) == 0 && !c.out.held && !c.out.writing && c.raw != nil && c.conn != nil
}

// queueRest queues a frame of which n bytes were written past the queue.
func (c *connection) queueRest(b []byte, n int) {
	c.out.add(0, b)
	c.out.wrote(n)
	c.startWriter()
}

// finish closes the connection with a close frame, after what is queued.
func (c *connection) finish(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queueClose(prepare(f))
}

// fail closes the connection with a close frame, at once: what is queued would
// come too late or out of order.
func (c *connection) fail(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failNow(f)
}

// failNow is fail for a caller that holds mu.
func (c *connection) failNow(f frame) {
	if !c.closing {
		c.out.drop()
	}
	c.queueClose(prepare(f))
}

func (c *connection) queueClose(m *prepared) {
	if c.closing || c.ended {
		return
	}
	c.closedWith(codeOf(m.plain))
	c.closing = true
	c.out.held = false
	c.out.add(len(c.out.frames), m.plain)
	c.write()
}

// ping writes a ping before what is queued: a client that reads slowly is alive,
// and its pong should not come too late. Clients of Protocol have to see it, and
// a browser does not show its page a ping: they get a heartbeat, unless something
// else is on its way to them.
func (c *connection) ping() {
	if !c.resumes {
		c.pinged.Store(true)
		c.urge(frame{opcode: websocket.PingMessage})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out.frames) == 0 && !c.closing && !c.ended {
		c.out.add(0, heartbeat.plain)
		c.write()
	}
}

var heartbeat = prepare(envelope{}.alone())

// urge queues a ping or a pong before all messages. One of the same kind that is
// still queued is replaced: a client wants an answer to its latest ping only.
func (c *connection) urge(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended {
		return
	}
	b, i := prepare(f).plain, c.out.begun
	for ; i < len(c.out.frames) && opcodeOf(c.out.frames[i]) >= websocket.PingMessage; i++ {
		if opcodeOf(c.out.frames[i]) == f.opcode {
			c.out.size += len(b) - len(c.out.frames[i])
			c.out.frames[i] = b
			return
		}
	}
	c.out.add(i, b)
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

// releaseAfter is release with a frame before what was kept.
func (c *connection) releaseAfter(f frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closing && !c.ended {
		c.out.add(c.out.begun, prepare(f).plain)
	}
	c.out.held = false
	c.write()
}
