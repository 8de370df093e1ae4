package socket

import (
	"bytes"
	"context"
	"time"

	"github.com/gorilla/websocket"
)

// message is a delivery as connections are given it: as a plain frame or in an
// envelope, each made once for all of them.
type message struct {
	delivery
	plain, wrapped *prepared
}

// frame returns what a connection is given of the message.
func (m *message) frame(c *connection) *prepared {
	if !c.resumes || m.record.opcode == websocket.CloseMessage {
		if m.plain == nil {
			m.plain = prepare(m.record.frame)
			m.mark(m.plain)
		}
		return m.plain
	}
	if m.wrapped == nil {
		m.wrapped = m.envelope().prepare(m.record.frame)
		m.mark(m.wrapped)
	}
	return m.wrapped
}

func (m *message) mark(p *prepared) {
	if m.record.key != "" {
		p.latest = string(m.channel) + "\x00" + m.record.key
	}
}

// give queues messages of a channel, to be written at once.
func (c *connection) give(messages ...*message) error {
	var few [4]*prepared
	frames := few[:0]
	for _, m := range messages {
		frames = append(frames, m.frame(c))
	}
	return c.post(frames...)
}

// giveAlone gives messages to the only connection that there is for them, and at
// once: then there is nothing to share or to keep. It returns false when they have to
// go the other way.
func (c *connection) giveAlone(messages []*message) bool {
	if c.deflate || !fitTogether(messages) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.ended {
		return true
	}
	if !c.nothingWaits() {
		return false
	}
	buffer := writeBuffers.Get().(*[coalesced]byte)
	defer writeBuffers.Put(buffer)
	b := buffer[:0]
	for _, m := range messages {
		b = c.appendFrame(b, m.delivery)
	}
	n, _ := writeNow(c.raw, b) // the writer finds out about the error
	if n < len(b) {
		c.queueRest(bytes.Clone(b), n)
	}
	return true
}

// fitTogether tells whether messages may be written in one piece of about coalesced
// bytes. Those that a newer one may replace while they wait may not, and nothing
// follows on a close frame.
func fitTogether(messages []*message) bool {
	size := 0
	for _, m := range messages {
		if m.record.key != "" || m.record.opcode == websocket.CloseMessage {
			return false
		}
		size += len(m.record.data) + overhead
	}
	return size <= coalesced/8
}

// appendFrame appends what the connection is given of a message.
func (c *connection) appendFrame(b []byte, d delivery) []byte {
	begin := len(b)
	var room [maxHeader]byte
	b = append(b, room[:]...)
	if c.resumes {
		b = d.envelope().append(b, d.record.frame)
	} else {
		b = append(b, d.record.data...)
	}
	return append(b[:begin], addHeader(d.record.opcode, b[begin:])...)
}

// send queues a message that is for this connection alone, and in no log.
func (c *connection) send(f frame) error { return c.sendWrapped(envelope{}, f) }

// sendWrapped is send with an envelope for those who know envelopes.
func (c *connection) sendWrapped(e envelope, f frame) error {
	if c.resumes {
		return c.post(e.prepare(f))
	}
	return c.post(prepare(f))
}

// missed tells the client that messages of a channel are lost for it, and where
// it continues.
func (c *connection) missed(ch channel, at point) {
	if !c.resumes {
		c.fail(closeFrame(CloseMissed, "some messages were missed"))
		return
	}
	_ = c.post(prepare(controlFrame(struct {
		Missed string `json:"missed"`
		At     string `json:"at"`
	}{ch.name(), at.String()}))) // a connection that cannot take it is closed
}

// giveAll gives messages to a connection that waits, one after the other and no
// faster than the client reads.
func (s *subscription) giveAll(ctx context.Context, c *connection, messages []delivery) error {
	for _, d := range messages {
		if err := c.awaitRoom(ctx); err != nil {
			return err
		}
		if err := s.giveWaiting(c, d); err != nil {
			return err
		}
	}
	return nil
}

// giveWaiting gives a message to a connection, unless it waits no longer: who has
// been told that it left gets no more.
func (s *subscription) giveWaiting(c *connection, d delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting.has(c) {
		return ErrClosed
	}
	return c.give(&message{delivery: d})
}

// roomPause is how often a full queue is looked at. A client that takes nothing
// at all is closed by its writer.
const roomPause = 5 * time.Millisecond

// awaitRoom waits until half of what may be queued is free.
func (c *connection) awaitRoom(ctx context.Context) error {
	for {
		c.mu.Lock()
		over, size := c.closing || c.ended, c.out.size
		c.mu.Unlock()
		switch {
		case over:
			return ErrClosed
		case size <= c.hub.maxQueued/2:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		pause(ctx, roomPause)
	}
}
