package client

import (
	"context"
	"fmt"
)

// Send sends a message to the server's OnMessage: a string as text, bytes as a
// binary frame, anything else as JSON.
//
// It returns nil as soon as the message is in the buffer, also while there is no
// connection and before Run. From there messages are written in order, each at
// most once; only a Request tells what became of it. What is still in the buffer
// when the context of Run is cancelled is written before the connection is
// closed, if the server takes it in a few seconds; what stays there waits for
// another Run.
//
// When MaxBuffered is reached, Send waits for room while there is a connection,
// at most until ctx ends, and fails with ErrBufferFull without one. It fails with
// ErrTooBig when the message is larger than the server takes, as far as that is
// known, with ErrClosed after Run, and with ErrBadMessage when v cannot be sent.
func (c *Client) Send(ctx context.Context, v any) error {
	opcode, data, err := encode(v, 0)
	if err != nil {
		return err
	}
	return c.enqueue(ctx, &outgoing{opcode: opcode, data: data, size: len(data) + overhead})
}

// enqueue puts a frame into the buffer.
func (c *Client) enqueue(ctx context.Context, f *outgoing) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		switch {
		case c.closed:
			return ErrClosed
		case c.largest > 0 && len(f.data) > c.largest:
			return fmt.Errorf("%w: a frame of %d bytes, the server takes %d", ErrTooBig, len(f.data), c.largest)
		case c.out.fits(f, positive(c.MaxBuffered, DefaultMaxBuffered)):
			if f.id != 0 {
				c.await(f)
			}
			c.out.push(f)
			c.kick(c.link)
			return nil
		case c.link == nil:
			return ErrBufferFull
		}
		if err := c.waitForRoom(ctx); err != nil {
			return err
		}
	}
}

// waitForRoom returns when there may be room in the buffer. It releases the
// mutex in between.
func (c *Client) waitForRoom(ctx context.Context) error {
	if c.room == nil {
		c.room = make(chan struct{})
	}
	room := c.room
	c.mu.Unlock()
	defer c.mu.Lock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBufferFull, ctx.Err())
	}
}

// moved wakes those that wait for room. The caller holds the mutex.
func (c *Client) moved() {
	if c.room != nil {
		close(c.room)
		c.room = nil
	}
}
