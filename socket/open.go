package socket

import (
	"context"
	"slices"
)

// accept makes the connection one of the user's, or Anonymous. The caller holds
// the turn, or has not started the connection yet. A client of Protocol receives
// nothing before it has said what it has.
func (c *connection) accept(user *User) error {
	channels := []channel{broadcast}
	if user != Anonymous {
		channels = []channel{userChannel(user.ID), broadcast}
	}
	for _, ch := range channels {
		if _, err := c.join(ch); err != nil {
			c.part()
			return err
		}
	}
	c.user = user
	if c.resumes && !c.greeted {
		return nil
	}
	return c.open()
}

// join adds the connection to a channel, where it waits. It returns no channel
// when it is in there already.
func (c *connection) join(ch channel) (*subscription, error) {
	if slices.ContainsFunc(c.following(), func(s *subscription) bool { return s.channel == ch }) {
		return nil, nil
	}
	s, err := c.hub.join(c, ch)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	ended := c.ended
	if !ended {
		c.follows = append(c.follows, s)
	}
	c.mu.Unlock()
	if ended { // while it joined, and so without leaving
		c.hub.leave(c, s)
		return nil, ErrClosed
	}
	return s, nil
}

// part takes the connection out of all its channels.
func (c *connection) part() {
	c.mu.Lock()
	follows := c.follows
	c.follows = nil
	c.mu.Unlock()
	for _, s := range follows {
		c.hub.leave(c, s)
	}
}

// open has an accepted connection receive the messages of its channels.
func (c *connection) open() error {
	for _, topic := range c.topics() {
		if _, err := c.join(topicChannel(topic)); err != nil {
			return err
		}
	}
	c.hub.wheel.accepted(c)
	if c.resumes {
		c.resume(c.hub.base)
		return nil
	}
	for _, s := range c.following() {
		s.goLive(c)
	}
	return nil
}

// topics returns the topics that the user is in. From now on the connection is
// told when they change.
func (c *connection) topics() []string {
	for _, s := range c.following() {
		if s.user != "" {
			return s.topicsFor(c)
		}
	}
	return nil
}

// following returns the channels of the connection.
func (c *connection) following() []*subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.follows)
}

// resume answers the connect request of a client of Protocol: it tells where in
// its channels the client is, and gives it what it missed.
func (c *connection) resume(ctx context.Context) {
	h, missing := c.hub, map[string]string{}
	for name, at := range c.at {
		missing[name] = at
	}
	reply := connected{
		Connection: c.id, User: c.user.ID, At: map[string]string{},
		Heartbeat: h.ping.Milliseconds(), Timeout: h.pong.Milliseconds(), MaxMessage: h.maxMessage,
	}
	var behind []backlog
	c.hold()
	for _, s := range c.following() {
		name := s.channel.name()
		at, named := missing[name]
		if delete(missing, name); named {
			b, reached := h.backlog(ctx, c, s, at)
			if reached {
				reply.At[name] = at
				behind = append(behind, b)
				continue
			}
			reply.Lost = append(reply.Lost, name)
		}
		now, _ := s.goLive(c)
		reply.At[name] = now.String()
	}
	for name := range missing { // topics that the user has left
		reply.Lost = append(reply.Lost, name)
	}
	slices.Sort(reply.Lost)
	if len(c.at) > 0 {
		recovered := len(reply.Lost) == 0
		reply.Recovered = &recovered
	}
	c.at = nil
	c.releaseAfter(controlFrame(struct {
		Connected connected `json:"connected"`
	}{reply}))
	for _, b := range behind {
		h.bringUp(ctx, c, b)
	}
}

// backlog is what a connection that waits has to be given before it goes live.
type backlog struct {
	sub   *subscription
	from  point
	first *page // the page after from; nil when it has not been read
}

// backlog finds out what a client lacks that is at a position. It returns false
// when the channel does not reach back to there.
func (h *hub) backlog(ctx context.Context, c *connection, s *subscription, at string) (backlog, bool) {
	from, err := parsePoint(at)
	if err != nil {
		return backlog{}, false
	}
	if s.goLiveAt(c, from) {
		return backlog{sub: s, from: from, first: &page{to: from, complete: true}}, true
	}
	p, err := h.replay(ctx, s.channel, from, 0)
	return backlog{s, from, &p}, err == nil && p.complete
}
