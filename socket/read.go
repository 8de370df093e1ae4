package socket

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
)

// read takes the messages of the connection until it ends. It reads one message
// ahead of the handler, so that it notices a client that leaves meanwhile, and
// no more, so that a client that is too fast is slowed down.
func (c *connection) read() {
	err := c.readMessages()
	c.in.release()
	var v *violation
	switch {
	case err == errFarewell:
		c.sayGoodbye()
	case errors.As(err, &v):
		c.refuseToRead(v)
	default:
		c.end()
	}
}

// readMessages returns why there are no more.
func (c *connection) readMessages() error {
	for {
		// The longest wait, for the next message, is here and not further down:
		// the stack of an idle connection should not have to grow.
		if err := c.in.await(); err != nil {
			return err
		}
		opcode, data, err := c.message()
		if err != nil {
			return err
		}
		if opcode == 0 {
			continue
		}
		if c.isClosing() {
			continue // only the client's close frame is of interest
		}
		if c.resumes {
			if err := c.receive(opcode, data); err != nil {
				return err
			}
			continue
		}
		if !c.takeTurn() {
			continue
		}
		if err := c.countQueued(); err != nil {
			c.turn.Unlock()
			return err
		}
		c.hub.work.Go(func() {
			defer c.turn.Unlock()
			c.handle(&Message{Connection: c.id, RequestID: newID(), Data: data, binary: opcode == websocket.BinaryMessage})
			c.holding.give(cap(data))
		})
	}
}

// countQueued counts what waits to be written to a client that is not authenticated:
// it may have been made to send much, and read nothing of that.
func (c *connection) countQueued() error {
	if c.holding.out.Load() {
		return nil
	}
	c.mu.Lock()
	queued := c.out.size
	c.mu.Unlock()
	return c.holding.queue(queued)
}

// takeTurn waits for the handler of the message before. It returns false, without the
// turn, when the server has closed the connection meanwhile, and that handler may have.
// A message that has the turn is handled, also when the client closes the connection
// right behind it.
func (c *connection) takeTurn() bool {
	if !c.turn.TryLock() {
		c.whileBusy(c.turn.Lock)
	}
	if c.isClosing() {
		c.turn.Unlock()
		return false
	}
	return true
}

// whileBusy does something that may take long in the reader, which hears nothing
// meanwhile.
func (c *connection) whileBusy(do func()) {
	c.waiting.Store(true)
	do()
	c.in.hear()
	c.waiting.Store(false)
}

// errFarewell: the client has closed the connection in due form.
var errFarewell = errors.New("close frame received")

// message reads a message, or returns no opcode after a control frame that did
// not come in the middle of one.
func (c *connection) message() (opcode int, data []byte, err error) {
	var deflated bool
	for {
		h, err := c.in.header(c.deflate)
		if err != nil {
			return 0, nil, err
		}
		switch {
		case h.control():
			if err := c.control(h); err != nil || opcode == 0 {
				return 0, nil, err
			}
			continue
		case opcode == 0 && h.opcode() == continuation:
			return 0, nil, errNothingToContinue
		case opcode != 0 && h.opcode() != continuation:
			return 0, nil, errMessageInMessage
		case h.length > c.maxFrame()-int64(len(data)):
			return 0, nil, errTooBig
		case opcode == 0:
			opcode, deflated = h.opcode(), h.deflated()
		}
		if !h.final() && h.length < fairPart {
			if err := c.admit(); err != nil {
				return 0, nil, err
			}
		}
		if data, err = c.in.payload(data, h, &c.holding); err != nil {
			return 0, nil, err
		}
		if h.final() {
			data, err = c.complete(opcode, data, deflated)
			return opcode, data, err
		}
	}
}

var (
	errNothingToContinue = protocolError("nothing to continue")
	errMessageInMessage  = protocolError("message within a message")
	errNotUTF8           = &violation{CloseInvalid, "text is not UTF-8"}
)

// complete decompresses and checks a message of which everything has been read.
func (c *connection) complete(opcode int, data []byte, deflated bool) (_ []byte, err error) {
	if err := c.admit(); err != nil {
		return nil, err
	}
	if deflated {
		if data, err = c.inflate(data); err != nil {
			return nil, err
		}
	}
	if opcode == websocket.TextMessage && !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	return data, nil
}

// inflate decompresses a message. What it may become is counted before, and then
// what it has become.
func (c *connection) inflate(body []byte) ([]byte, error) {
	limit := c.maxFrame()
	most := int(min(limit, int64(len(body))*maxInflation)) + trust
	if err := c.holding.take(most); err != nil {
		return nil, err
	}
	data, err := inflate(body, limit)
	if err != nil {
		return nil, err
	}
	c.holding.give(cap(body) + most)
	return data, c.holding.take(cap(data))
}

// control deals with a control frame.
func (c *connection) control(h header) error {
	payload, err := c.in.payload(nil, h, nil)
	if err != nil {
		return err
	}
	switch h.opcode() {
	case websocket.PongMessage:
		if c.pinged.CompareAndSwap(true, false) {
			return nil // which was asked for
		}
		return c.admit()
	case websocket.PingMessage:
		if err := c.admit(); err != nil {
			return err
		}
		c.urge(frame{opcode: websocket.PongMessage, data: payload})
	case websocket.CloseMessage:
		if err := c.answerClose(payload); err != nil {
			return err
		}
		return errFarewell
	}
	return nil
}

func (c *connection) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// handle gives a message to the handler whose turn it is.
func (c *connection) handle(m *Message) {
	m.User = c.user
	ctx := context.WithValue(c.hub.base, connectionKey{}, c)
	ctx = context.WithValue(ctx, messageKey{}, m)
	ctx = jobs.WithRequestID(ctx, m.RequestID)
	if c.user == nil {
		c.authenticate(ctx, m)
		return
	}
	ctx = jobs.WithUserID(ctx, c.user.ID)
	handle := c.hub.handlers.OnMessage
	if handle == nil {
		c.tellOf(m, ErrNoHandler)
		return
	}
	late := false
	err := c.hub.call(ctx, func(ctx context.Context) error { return handle(ctx, m) }, func(err error) {
		late = true
		c.tellOf(m, err)
	})
	switch {
	case err != nil && !late:
		c.tellOf(m, err)
	case err == nil:
		c.done(m)
	}
}

// done answers a request whose handler has not.
func (c *connection) done(m *Message) {
	if m.answer != nil && m.answer.take() {
		_ = c.post(prepare(envelope{id: m.answer.id}.alone())) // a client that is gone misses it
	}
}

// authenticate gives a message to Authenticate and carries out the verdict.
func (c *connection) authenticate(ctx context.Context, m *Message) {
	defer c.hub.wheel.decides(c)()
	c.hold()
	defer c.release()
	var user *User
	err := c.hub.call(ctx, func(ctx context.Context) (err error) {
		user, err = c.hub.handlers.Authenticate(ctx, m)
		return err
	}, nil)
	if err == nil && user != nil {
		err = user.check()
	}
	switch {
	case err != nil:
		c.tellOf(m, err)
		c.turnAway(err)
	case user == nil:
		c.done(m)
	default:
		switch err := c.accept(user); {
		case errors.Is(err, errTooMany):
			c.finish(closeFrame(CloseTooMany, "too many connections"))
		case err != nil:
			c.notRegistered(err)
		default:
			c.hub.refusing.Note(nil)
			c.done(m)
		}
	}
}

// turnAway closes a connection about which Authenticate returned an error. A client
// that was not refused should not take it so and forget its credentials.
func (c *connection) turnAway(err error) {
	if refuses(err) {
		c.finish(closeFrame(CloseUnauthorized, "not authenticated"))
		return
	}
	c.hub.log.Warn("socket: connection closed: Authenticate could not decide", "connection", c.id, "error", err)
	c.finish(closeFrame(CloseTryLater, whyLater(err)))
}

// tellOf answers a message with its handler's error: a request with the reply that
// it waits for, if it has not had one.
func (c *connection) tellOf(m *Message, err error) {
	if m.answer == nil || !m.answer.take() {
		c.tell(err)
		return
	}
	c.hub.log.Info("socket: error answered", "connection", c.id, "request", m.RequestID, "error", err)
	_ = c.post(prepare(envelope{id: m.answer.id, err: reasonFor(err)}.alone())) // a client that is gone misses it
}

// tell answers with an error. A client that is gone misses it.
func (c *connection) tell(err error) {
	c.hub.log.Info("socket: error answered", "connection", c.id, "error", err)
	_ = c.post(prepare(errorFrame(reasonFor(err)))) // the same with and without Protocol
}
