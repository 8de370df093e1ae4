package client

import (
	"context"
	"errors"
	"net"
)

// maxHandshake is how many bytes a server may send until the WebSocket is open: its
// certificates and its answer.
const maxHandshake = 1 << 20

// errHandshake: a server's answer does not end.
var errHandshake = errors.New("the server's answer to the handshake exceeds 1 MiB")

// dialPlain calls Dialer.NetDial, which knows no context. When ctx ends it returns,
// and the connection that NetDial may return later is closed. There is one such call
// at a time: one that hangs for ever is not joined by others.
func (c *Client) dialPlain(ctx context.Context, dial func(network, addr string) (net.Conn, error), network, addr string) (net.Conn, error) {
	select {
	case c.dialing <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result)
	go func() { // NetDial is its only owner
		conn, err := dial(network, addr)
		<-c.dialing
		select {
		case done <- result{conn, err}:
		case <-ctx.Done():
			if err == nil {
				_ = conn.Close() // nobody wants it any more
			}
		}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
