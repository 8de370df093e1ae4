package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gorilla/websocket"
)

// connect opens a connection and waits until the server has accepted it.
func (r *run) connect(ctx context.Context) (l *link, w *welcome, e ending) {
	r.become(Connecting)
	ctx, cancel := context.WithTimeout(ctx, positive(r.ConnectTimeout, DefaultConnectTimeout))
	defer cancel()
	var err error
	if r.credentials, err = r.authenticate(ctx); err != nil {
		return nil, nil, ending{err: err, final: errors.Is(err, ErrUnauthorized)}
	}
	l, release, err := r.dial(ctx)
	if err != nil {
		return nil, nil, failed(err)
	}
	defer func() { // also when a handler panics
		release()
		if w == nil {
			r.lose(l, e.err)
		}
	}()
	w, e = r.greet(ctx, l)
	return l, w, e
}

// authenticate returns the member of the first frame that holds the credentials.
// It fails when they are those that were just refused.
func (r *run) authenticate(ctx context.Context) ([]byte, error) {
	if r.Auth == nil {
		return nil, nil
	}
	v, err := r.Auth(ctx, r.refusal)
	if err != nil {
		return nil, fmt.Errorf("socket client: credentials: %w", err)
	}
	member, err := encodeCredentials(v)
	if err != nil {
		return nil, fmt.Errorf("socket client: credentials: %w", err)
	}
	if r.refusal != nil && bytes.Equal(member, r.refused) {
		return nil, r.refusal
	}
	return member, nil
}

// greet says the first frame and waits for the server's verdict.
func (r *run) greet(ctx context.Context, l *link) (*welcome, ending) {
	first := &outgoing{opcode: websocket.TextMessage, data: encodeConnect(r.Positions(), r.credentials)}
	if err := l.write(first, positive(r.WriteTimeout, DefaultWriteTimeout)); err != nil {
		return nil, failed(fmt.Errorf("socket client: connect: %w", err))
	}
	said := "" // what the close code means, in words
	for {
		opcode, body, err := l.ws.NextReader()
		var f frame
		if err == nil {
			f, err = l.frame(opcode, body)
		} else {
			err = l.readError(err)
		}
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, failed(fmt.Errorf("socket client: not accepted in time: %w", ctx.Err()))
		case err != nil && said != "":
			return nil, failed(fmt.Errorf("%w: %s", err, said))
		case err != nil:
			return nil, failed(err)
		case f.event == eventConnected:
			return r.accept(l, f.hello), ending{}
		case f.event == eventError:
			said = f.reason
		default:
			if e := r.handle(r.handlers(ctx), l, f); e.err != nil {
				return nil, e
			}
		}
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
func (r *run) accept(l *link, h *hello) *welcome {
	r.refused, r.refusal = nil, nil
	r.mu.Lock()
	defer r.mu.Unlock()
	if h.Recovered != nil && r.owner != nil && *r.owner != h.User {
		// What the program has belongs to somebody else.
		h.Recovered, h.Lost = new(bool), slices.Sorted(maps.Keys(r.positions))
	} else {
		user := h.User
		r.owner = &user
	}
	w := &welcome{session: Session{
		Connection: h.Connection, User: h.User, Lost: h.Lost, Channels: slices.Sorted(maps.Keys(h.At)),
		Resumed: h.Recovered != nil, Recovered: h.Recovered != nil && *h.Recovered,
	}}
	l.began = time.Now()
	beat := milliseconds(h.Heartbeat)
	if beat > 0 {
		l.conn.idle = beat + milliseconds(h.Timeout)
	}
	// What is lost is remembered as reached once OnLost has returned nil. Until then
	// the positions are such that the server says the same again.
	w.at = make(map[string]string)
	before := r.positions
	r.positions = h.At
	if r.positions == nil {
		r.positions = make(map[string]string)
	}
	for _, channel := range h.Lost {
		w.at[channel] = h.At[channel] // none, if the client is not in there any more
		if old, ok := before[channel]; ok {
			r.positions[channel] = old
		} else {
			delete(r.positions, channel)
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
	r.acknowledgeAgain()
	r.moved()
	r.state, r.link = Connected, l
	l.throttle = newThrottle(h.MaxRate, h.MaxBurst, l.began)
	l.accepted, l.heartbeat, l.spoke = true, beat, l.began
	r.kick(l)
	return w
}
