package client

import (
	"slices"

	"github.com/gorilla/websocket"
)

// maxUnacked is how many acknowledgements wait for an answer. A server of an
// earlier version answers none.
const maxUnacked = 1000

// done remembers the position of a message that was handled, and acknowledges it.
func (c *Client) done(l *link, f frame) {
	c.reach(f.channel, f.at)
	if f.ack == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.unacked = append(c.unacked, f.ack); len(c.unacked) > maxUnacked {
		c.unacked = c.unacked[1:]
	}
	c.acknowledge(f.ack)
	c.kick(l)
}

func (c *Client) acknowledge(token string) {
	c.out.pushAck(&outgoing{opcode: websocket.TextMessage, data: encodeAck(token), ack: true})
}

// acknowledgeAgain says on a new connection what the server has not answered: it
// may have been written to one that was dead. The caller holds the mutex.
func (c *Client) acknowledgeAgain() {
	c.out.remove(func(f *outgoing) bool { return f.ack })
	for _, token := range c.unacked {
		c.acknowledge(token)
	}
}

// acked notes that the server knows.
func (c *Client) acked(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.unacked, token); i >= 0 {
		c.unacked = slices.Delete(c.unacked, i, i+1)
	}
	if len(c.unacked) == 0 {
		c.unacked = nil // an idle client should be small
	}
}
