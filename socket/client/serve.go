package client

import (
	"context"
	"fmt"

	"github.com/gorilla/websocket"
)

// serve tells the handlers of a new connection and then of what arrives on it,
// until it ends.
func (r *run) serve(ctx context.Context, l *link, w welcome) ending {
	for range w.tooBig {
		r.report(ctx, fmt.Errorf("%w: one that was buffered is dropped", ErrTooBig))
	}
	if r.OnConnected != nil {
		r.during(l, func() { r.OnConnected(ctx, w.session) })
	}
	if len(w.session.Lost) > 0 {
		if e := r.lost(ctx, l, w.session.Lost, w.at); e.err != nil {
			return e
		}
	}
	for {
		f, err := l.read()
		if err != nil {
			return failed(l.protest(err))
		}
		if e := r.handle(ctx, l, f); e.err != nil {
			return e
		}
	}
}

// handle does what a frame asks for. An ending with an error gives up the
// connection.
func (r *run) handle(ctx context.Context, l *link, f frame) ending {
	switch f.event {
	case eventHeartbeat:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answer(l)
		return ending{}
	case eventReply:
		r.replied(f)
	case eventReconnect:
		l.advice = f.after
	}
	if r.heard(l) { // nothing is handled that the farewell might cut off
		return ending{}
	}
	switch f.event {
	case eventMessage:
		return r.message(ctx, l, f)
	case eventError:
		r.during(l, func() { r.report(ctx, &ServerError{f.reason}) })
	case eventMissed:
		return r.lost(ctx, l, []string{f.channel}, map[string]string{f.channel: f.at})
	case eventJoined:
		r.during(l, func() {
			if r.OnJoined != nil {
				r.OnJoined(ctx, f.channel)
			}
		})
		r.reach(f.channel, f.at)
	case eventLeft:
		r.during(l, func() {
			if r.OnLeft != nil {
				r.OnLeft(ctx, f.channel)
			}
		})
		r.forget(f.channel)
	}
	return ending{}
}

// message calls OnMessage.
func (r *run) message(ctx context.Context, l *link, f frame) ending {
	if r.OnMessage == nil {
		r.reach(f.channel, f.at)
		return ending{}
	}
	var err error
	r.during(l, func() {
		err = r.OnMessage(ctx, Message{Channel: f.channel, Position: f.at, Kind: f.kind, Data: f.data})
		if err != nil && f.at == "" && ctx.Err() == nil {
			r.report(ctx, fmt.Errorf("socket client: handle message: %w", err))
		}
	})
	switch {
	case err == nil:
		r.done(l, f)
		return ending{}
	case f.at == "":
		return ending{}
	}
	return l.giveUp(fmt.Errorf("socket client: handle message: %w", err))
}

// lost calls OnLost. The positions are those at which the channels go on.
func (r *run) lost(ctx context.Context, l *link, channels []string, at map[string]string) ending {
	var err error
	r.during(l, func() {
		if r.OnLost != nil {
			err = r.OnLost(ctx, channels)
		} else {
			r.log().Warn("socket client: messages were lost", "url", r.URL, "channels", channels)
		}
	})
	if err != nil {
		return l.giveUp(fmt.Errorf("socket client: handle a loss: %w", err))
	}
	for channel, position := range at {
		r.reach(channel, position)
	}
	return ending{}
}

// giveUp leaves a server whose messages could not be handled.
func (l *link) giveUp(err error) ending {
	l.say(websocket.CloseNormalClosure, "")
	return ending{err: err}
}

// report tells OnError.
func (r *run) report(ctx context.Context, err error) {
	if r.OnError != nil {
		r.OnError(ctx, err)
	} else {
		r.log().Warn("socket client: error", "url", r.URL, "error", err)
	}
}

// heard notes that the server is there, and tells whether the client is leaving.
func (c *Client) heard(l *link) (leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepAlive(l)
	return l.leaving
}

// during calls a handler.
func (c *Client) during(l *link, handler func()) {
	c.handling(l, true)
	defer c.handling(l, false)
	handler()
}

func (c *Client) handling(l *link, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.handling = on
	if on {
		c.keepAlive(l)
	}
}

// done remembers the position of a message that was handled, and acknowledges it.
func (c *Client) done(l *link, f frame) {
	c.reach(f.channel, f.at)
	if f.ack == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.push(&outgoing{opcode: websocket.TextMessage, data: encodeAck(f.ack)})
	c.kick(l)
}
