package socket

import (
	"errors"

	"github.com/gorilla/websocket"
)

// maxPositions is how much larger than Server.MaxMessage the first frame of a client
// of Protocol may be, for it names a position in every channel: room for those of
// about 3,500 topics with the longest names, and of many more with short ones. Such a
// frame takes memory as it arrives, and none when it was read.
const maxPositions = 1 << 20 // bytes

// maxFrame is the size in bytes of the largest message that the client may send now.
func (c *connection) maxFrame() int64 {
	if c.resumes && !c.greeted {
		return c.hub.maxMessage + maxPositions
	}
	return c.hub.maxMessage
}

// receive is given a frame of a client of Protocol. It fails when that is none,
// or comes when it should not.
func (c *connection) receive(opcode int, data []byte) error {
	// Of the frame, the payload and the positions are kept, or copies of these.
	if err := c.holding.take(len(data)); err != nil {
		return err
	}
	r, err := parseRequest(data, opcode == websocket.BinaryMessage)
	switch {
	case err != nil:
		return &violation{CloseProtocol, err.Error()}
	case r.connect != nil && c.greeted:
		return &violation{CloseProtocol, "a second connect frame"}
	case r.connect == nil && !c.greeted && !r.empty():
		return &violation{CloseProtocol, "the first frame is no connect frame"}
	case int64(len(r.payload)) > c.hub.maxMessage: // beside the positions
		return errTooBig
	}
	if r.ack != "" {
		c.whileBusy(func() { c.acknowledge(r.ack) })
	}
	named := 0
	if r.connect != nil {
		named = len(r.connect.At)
	}
	forget := func() { c.holding.give(cap(data) + len(data) - named) }
	if r.connect == nil && r.payload == nil { // a heartbeat
		forget()
		return nil
	}
	if !c.takeTurn() {
		return nil
	}
	if err := c.countQueued(); err != nil {
		c.turn.Unlock()
		return err
	}
	if r.connect != nil {
		c.greeted = true
	}
	c.hub.work.Go(func() {
		defer c.turn.Unlock()
		c.handleRequest(r)
		forget()
	})
	return nil
}

// empty tells whether the frame is a heartbeat.
func (r request) empty() bool { return r.ack == "" && r.payload == nil && r.connect == nil }

// handleRequest deals with a connect request or a message. It holds the turn.
func (c *connection) handleRequest(r request) {
	m := &Message{Connection: c.id, RequestID: newID(), Data: r.payload, binary: r.kind == payloadBinary}
	if r.id != 0 {
		m.answer = &answer{id: r.id}
	}
	if r.connect != nil {
		c.at = r.connect.At
		if c.user != nil { // by OnConnect, and so Authenticate is not asked
			defer c.hub.wheel.decides(c)()
			if err := c.open(); err != nil {
				c.notRegistered(err)
				return
			}
			c.done(m)
			return
		}
	}
	if r.payload != nil { // or what Authenticate wants comes later
		c.handle(m)
	}
}

// notRegistered closes a connection whose user could not be registered.
func (c *connection) notRegistered(err error) {
	if errors.Is(err, ErrClosed) { // the client left without waiting
		return
	}
	c.hub.refusing.Note(err, "connection", c.id)
	c.finish(closeFrame(CloseTryLater, whyLater(err)))
}

// whyLater is what a client is told that cannot be served now.
func whyLater(err error) string {
	if errors.Is(err, ErrFull) {
		return "no room for more connections, try again later"
	}
	return "try again later"
}
