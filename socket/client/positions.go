package client

import "maps"

// Positions returns the positions up to which everything has been handled, by
// channel: what a later process sets as its Resume.
func (c *Client) Positions() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.positions == nil {
		return maps.Clone(c.Resume)
	}
	return maps.Clone(c.positions)
}

// reach remembers that everything up to a position was handled.
func (c *Client) reach(channel, at string) {
	if at == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.positions[channel] = at
}

// belong remembers whose the positions are.
func (c *Client) belong(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owner = &user
}

// forget is for a channel that is none of the client's any more.
func (c *Client) forget(channel string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.positions, channel)
}
