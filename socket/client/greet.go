package client

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// greet introduces the client on a new link and waits until the server has
// accepted it.
func (r *run) greet(ctx context.Context, l *link, credentials []byte) (welcome, ending) {
	first := &outgoing{opcode: websocket.TextMessage, data: encodeConnect(r.Positions(), credentials)}
	if err := l.write(first, positive(r.WriteTimeout, DefaultWriteTimeout)); err != nil {
		return welcome{}, failed(fmt.Errorf("socket client: connect: %w", err))
	}
	for {
		f, err := l.read()
		if err == nil && f.event == eventConnected {
			return r.accept(l, f.hello), ending{}
		}
		if err == nil && f.event == eventError { // what the close code means, in words
			l.said = f.reason
			continue
		}
		if err == nil {
			if e := r.handle(r.handlers(ctx), l, f); e.err != nil {
				return welcome{}, e
			}
			continue
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("socket client: not accepted in time: %w", ctx.Err())
		}
		if l.said != "" {
			err = fmt.Errorf("%w: %s", err, l.said)
		}
		return welcome{}, failed(l.protest(err))
	}
}

// welcome is what the handlers are to be told of a new connection.
type welcome struct {
	session Session
	at      map[string]string // the positions of what was lost
	tooBig  int               // messages that were taken out of the buffer
}

// accept takes over what the server says about the connection, and opens it for
// those who send.
func (r *run) accept(l *link, h *hello) welcome {
	w := welcome{session: Session{
		Connection: h.Connection, User: h.User, Lost: h.Lost, Channels: slices.Sorted(maps.Keys(h.At)),
		Resumed: h.Recovered != nil, Recovered: h.Recovered != nil && *h.Recovered,
	}}
	beat := milliseconds(h.Heartbeat)
	if beat > 0 {
		l.conn.idle = beat + milliseconds(h.Timeout)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// What is lost is remembered as reached once OnLost has returned.
	w.at = make(map[string]string)
	before := r.positions
	r.positions = maps.Clone(h.At)
	if r.positions == nil {
		r.positions = make(map[string]string)
	}
	for _, channel := range h.Lost {
		at, ok := h.At[channel]
		if !ok {
			continue
		}
		w.at[channel] = at
		if old, ok := before[channel]; ok {
			r.positions[channel] = old
		}
	}
	r.largest = int(min(max(0, h.MaxMessage), 1<<31-1))
	for _, f := range r.out.remove(func(f *outgoing) bool { return r.largest > 0 && len(f.data) > r.largest }) {
		if f.id == 0 {
			w.tooBig++
		} else {
			r.settle(f, answer{err: ErrTooBig})
		}
	}
	r.moved()
	r.state, r.link = Connected, l
	l.accepted, l.heartbeat, l.spoke = true, beat, time.Now()
	r.kick(l)
	return w
}

// protest tells the server, when it broke the protocol, that it did.
func (l *link) protest(err error) error {
	var bad *badFrame
	switch {
	case errors.Is(err, errNotUTF8):
		l.say(websocket.CloseInvalidFramePayloadData, "text is not UTF-8")
	case errors.As(err, &bad):
		l.say(websocket.CloseProtocolError, "bad frame")
	}
	return err
}
