package client

import (
	"context"
	"fmt"
)

type handlerKey struct{}

// Request sends a message as Send does and waits for the server's reply: what
// its handler answered, or a Message of kind None when it answered nothing. A
// handler's error comes back as a *ServerError.
//
// It waits until ctx ends, or for RequestTimeout when ctx has no deadline. A
// request that could not be sent by then is taken back and the error is that of
// the context. One that was sent is not sent again: when its connection breaks,
// or the time is over, the error wraps ErrUncertain.
//
// A handler cannot wait for a reply with its own context: that fails with
// ErrInHandler. It may start a goroutine that does.
func (c *Client) Request(ctx context.Context, v any) (Message, error) {
	if ctx.Value(handlerKey{}) == c {
		return Message{}, ErrInHandler
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, positive(c.RequestTimeout, DefaultRequestTimeout))
		defer cancel()
	}
	id := c.lastID.Add(1)
	opcode, data, err := encode(v, id)
	if err != nil {
		return Message{}, err
	}
	f := &outgoing{opcode: opcode, data: data, size: len(data) + overhead, id: id, answer: make(chan answer, 1)}
	if err := c.enqueue(ctx, f); err != nil {
		return Message{}, err
	}
	select {
	case a := <-f.answer:
		return a.message, a.err
	case <-ctx.Done():
		return c.abandon(f, ctx.Err())
	}
}

// await keeps a request until its reply comes. The caller holds the mutex.
func (c *Client) await(f *outgoing) {
	if c.open == nil {
		c.open = make(map[uint64]*outgoing)
	}
	c.open[f.id] = f
}

// settle ends a request that is open. The caller holds the mutex.
func (c *Client) settle(f *outgoing, a answer) {
	delete(c.open, f.id)
	if len(c.open) == 0 {
		c.open = nil // an idle client should be small
	}
	f.answer <- a
}

// abandon ends a request for which its caller waits no longer.
func (c *Client) abandon(f *outgoing, reason error) (Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[f.id] != f { // the answer came just now
		a := <-f.answer
		return a.message, a.err
	}
	c.settle(f, answer{})
	if f.sent || f.writing {
		f.gone = true
		return Message{}, fmt.Errorf("%w: %w", ErrUncertain, reason)
	}
	c.out.remove(func(other *outgoing) bool { return other == f })
	c.moved()
	return Message{}, fmt.Errorf("socket client: request was not sent: %w", reason)
}

// replied gives a reply to the request that waits for it, if it still does.
func (c *Client) replied(r frame) {
	a := answer{message: Message{Kind: r.kind, Data: r.data}}
	if r.failed {
		a = answer{err: &ServerError{r.reason}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.open[r.id]; f != nil {
		c.settle(f, a)
	}
}

// unanswered ends the requests that were sent on a connection that is lost. The
// caller holds the mutex.
func (c *Client) unanswered(cause error) {
	if cause == nil {
		cause = ErrClosed
	}
	for _, f := range c.open {
		if f.sent {
			c.settle(f, answer{err: fmt.Errorf("%w: %w", ErrUncertain, cause)})
		}
	}
}

// unsent ends the requests that wait in the buffer. The caller holds the mutex.
func (c *Client) unsent() {
	c.out.remove(func(f *outgoing) bool { return f.id != 0 })
	for _, f := range c.open {
		c.settle(f, answer{err: fmt.Errorf("%w: request was not sent", ErrClosed)})
	}
}
