package client

import (
	"context"
	"fmt"
	"io"
)

// serve handles what arrives until the connection ends.
func (r *run) serve(ctx context.Context, l *link) ending {
	for {
		opcode, body, err := l.ws.NextReader()
		if err != nil {
			return failed(l.readError(err))
		}
		if e := r.receive(ctx, l, opcode, body); e.err != nil {
			return e
		}
	}
}

// receive handles one frame.
func (r *run) receive(ctx context.Context, l *link, opcode int, body io.Reader) ending {
	f, err := l.frame(opcode, body)
	if err != nil {
		return failed(err)
	}
	return r.handle(ctx, l, f)
}

// introduce tells the handlers of a new connection.
func (r *run) introduce(ctx context.Context, l *link, w *welcome) ending {
	if r.OnConnected == nil && w.tooBig == 0 && len(w.session.Lost) == 0 {
		return ending{}
	}
	r.enter(l)
	defer r.exit(l)
	for range w.tooBig {
		r.report(ctx, fmt.Errorf("%w: one that was buffered is dropped", ErrTooBig))
	}
	if r.OnConnected != nil {
		r.OnConnected(ctx, w.session)
	}
	if len(w.session.Lost) == 0 {
		return ending{}
	}
	e := r.lost(ctx, l, w.session.Lost, w.at)
	if e.err == nil && ctx.Err() == nil { // or the next connection is to tell it again
		r.belong(w.session.User)
	}
	return e
}

// handle does what a frame asks for. An ending with an error gives up the
// connection.
func (r *run) handle(ctx context.Context, l *link, f frame) ending {
	if f.event == eventHeartbeat {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.answer(l)
		return ending{}
	}
	leaving := r.enter(l)
	defer r.exit(l)
	switch f.event {
	case eventReply:
		r.replied(f)
		return ending{}
	case eventReconnect:
		l.advice = f.after
		return ending{}
	case eventAcked:
		r.acked(f.ack)
		return ending{}
	}
	if leaving { // it will come again
		return ending{}
	}
	switch f.event {
	case eventMessage:
		return r.message(ctx, l, f)
	case eventError:
		r.report(ctx, &ServerError{f.reason})
	case eventMissed:
		return r.lost(ctx, l, []string{f.channel}, map[string]string{f.channel: f.at})
	case eventJoined:
		if r.OnJoined != nil {
			r.OnJoined(ctx, f.channel)
		}
		r.reach(f.channel, f.at)
	case eventLeft:
		if r.OnLeft != nil {
			r.OnLeft(ctx, f.channel)
		}
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
	err := r.OnMessage(ctx, Message{Channel: f.channel, Position: f.at, Kind: f.kind, Data: f.data})
	if err == nil {
		r.done(l, f)
		return ending{}
	}
	if r.leaves(ctx, l) { // which the handler was told, and nothing more
		return ending{}
	}
	err = fmt.Errorf("socket client: handle message: %w", err)
	if f.at != "" {
		return l.giveUp(err)
	}
	r.report(ctx, err)
	return ending{}
}

// lost calls OnLost. The positions are those at which the channels go on; a channel
// without one is none of the client's any more.
func (r *run) lost(ctx context.Context, l *link, channels []string, at map[string]string) ending {
	if r.OnLost == nil {
		r.log().Warn("socket client: messages were lost", "host", r.endpoint.Host, "channels", channels)
	} else if err := r.OnLost(ctx, channels); err != nil {
		if r.leaves(ctx, l) {
			return ending{}
		}
		return l.giveUp(fmt.Errorf("socket client: handle a loss: %w", err))
	}
	for channel, position := range at {
		if position == "" {
			r.forget(channel)
		} else {
			r.reach(channel, position)
		}
	}
	return ending{}
}

// leaves tells whether the client is leaving, and makes that sure when its context
// has ended just now: after a message that was not handled none is to be.
func (c *Client) leaves(ctx context.Context, l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.leaving = l.leaving || ctx.Err() != nil
	return l.leaving
}

// giveUp leaves a connection whose messages could not be handled, to come back: for
// the server the user is still there.
func (l *link) giveUp(err error) ending {
	l.say(codeGivenUp, "")
	return ending{err: err}
}

// report tells OnError.
func (r *run) report(ctx context.Context, err error) {
	if r.OnError != nil {
		r.OnError(ctx, err)
	} else {
		r.log().Warn("socket client: error", "host", r.endpoint.Host, "error", err)
	}
}

// enter notes that a frame is being handled, and tells whether the client is
// leaving.
func (c *Client) enter(l *link) (leaving bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.handling = true
	c.keepAlive(l)
	return l.leaving
}

// exit notes that it was handled, for which a client that leaves waits.
func (c *Client) exit(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.handling = false
	c.kick(l)
}
