package socket

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
)

// read takes the messages of the connection until it ends. It reads one message
// ahead of the handler, so that it notices a client that leaves meanwhile, and
// no more, so that a client that is too fast is slowed down.
func (c *connection) read() {
	defer c.end()
	for c.alive() == nil {
		opcode, data, err := c.ws.ReadMessage()
		if err != nil {
			c.brokenOff(err)
			return
		}
		if opcode == websocket.TextMessage && !utf8.Valid(data) {
			c.fail(closeFrame(CloseInvalid, "text is not UTF-8"))
		}
		if c.isClosing() {
			continue // only the client's close frame is of interest
		}
		m := &Message{Connection: c.id, RequestID: newID(), Data: data, binary: opcode == websocket.BinaryMessage}
		c.turn <- struct{}{}
		c.hub.work.Go(func() {
			defer func() { <-c.turn }()
			c.handle(m)
		})
	}
}

// alive gives the client time until the pong after the next ping, or what is
// left of the time to answer a close frame.
func (c *connection) alive() error {
	if c.isClosing() {
		return nil
	}
	return c.ws.SetReadDeadline(time.Now().Add(c.hub.ping + c.hub.pong))
}

func (c *connection) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// handle gives a message to the handler whose turn it is.
func (c *connection) handle(m *Message) {
	if c.isClosing() { // by the message before
		return
	}
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
		c.tell(ErrNoHandler)
		return
	}
	late := false
	err := c.hub.call(ctx, func(ctx context.Context) error { return handle(ctx, m) }, func(err error) {
		late = true
		c.tell(err)
	})
	if err != nil && !late {
		c.tell(err)
	}
}

// authenticate gives a message to Authenticate and carries out the verdict.
func (c *connection) authenticate(ctx context.Context, m *Message) {
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
		c.tell(err)
		c.finish(closeFrame(CloseUnauthorized, "not authenticated"))
	case user != nil:
		switch err := c.accept(user); {
		case errors.Is(err, errTooMany):
			c.finish(closeFrame(CloseTooMany, "too many connections"))
		case err != nil:
			c.hub.log.Warn("socket: connection closed: its user could not be registered", "user", user.ID, "error", err)
			c.finish(closeFrame(CloseTryLater, "try again later"))
		}
	}
}

// tell answers with an error. A client that is gone misses it.
func (c *connection) tell(err error) {
	c.hub.log.Info("socket: error answered", "connection", c.id, "error", err)
	_ = c.send(errorFrame(reasonFor(err)))
}
