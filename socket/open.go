package socket

import (
	"context"
	"maps"
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
	c.holding.accept(user)
	if c.resumes && !c.greeted {
		return nil
	}
	if err := c.open(); err != nil {
		c.part()
		return err
	}
	return nil
}

// join adds the connection to a channel, where it waits. It returns no channel
// when it is in there already.
func (c *connection) join(ch channel) (*subscription, error) {
	if c.isIn(ch) {
		return nil, nil
	}
	s, err := c.hub.join(c, ch)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	ended := c.ended
	if !ended {
		c.follows.add(s)
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
	all := c.follows.all()
	c.follows = follows{}
	c.mu.Unlock()
	for _, s := range all {
		c.hub.leave(c, s)
	}
}

// open has an accepted connection receive the messages of its channels.
func (c *connection) open() error {
	mine := c.mine()
	var topics map[string]membership
	if mine != nil {
		topics = mine.topicsNow()
	}
	err := inParallel(slices.Collect(maps.Keys(topics)), func(topic string) error {
		_, err := c.join(topicChannel(topic))
		return err
	})
	if err != nil {
		return err
	}
	c.hub.wheel.accepted(c)
	if c.resumes {
		c.resume(c.hub.base, topics)
	} else {
		for _, s := range c.following() {
			s.goLive(c)
		}
	}
	if mine != nil {
		return c.keepUp(mine, topics)
	}
	return nil
}

// mine returns the channel of the connection's user, or nil.
func (c *connection) mine() *subscription {
	for _, s := range c.following() {
		if s.user != "" {
			return s
		}
	}
	return nil
}

// isIn tells whether the connection has joined a channel.
func (c *connection) isIn(ch channel) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follows.has(ch)
}

// following returns the channels of the connection.
func (c *connection) following() []*subscription {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.follows.all()
}

// resume answers the connect request of a client of Protocol: it tells where in
// its channels the client is, and gives it what it missed.
func (c *connection) resume(ctx context.Context, topics map[string]membership) {
	h := c.hub
	reply := connected{
		Connection: c.id, User: c.user.ID, At: map[string]string{},
		Heartbeat: h.ping.Milliseconds(), Timeout: h.pong.Milliseconds(), MaxMessage: h.maxMessage,
	}
	reply.MaxRate, reply.MaxBurst = h.rate.limits()
	var behind []backlog
	c.hold()
	following := c.following()
	named := c.named(following)
	for _, s := range following {
		name := s.channel.name()
		from, wanted, lost := named.placeIn(s, topics)
		if wanted {
			b, reached := h.backlog(ctx, c, s, from)
			if reached {
				reply.At[name] = from.String()
				behind = append(behind, b)
			}
			wanted, lost = reached, lost || !reached
		}
		if lost {
			reply.Lost = append(reply.Lost, name)
		}
		if !wanted {
			now, _ := s.goLive(c)
			reply.At[name] = now.String()
		}
	}
	reply.Lost = append(reply.Lost, named.left...)
	slices.Sort(reply.Lost)
	reply.Lost = slices.Compact(reply.Lost)
	if named.any {
		recovered := len(reply.Lost) == 0
		reply.Recovered = &recovered
	}
	c.releaseAfter(controlFrame(struct {
		Connected connected `json:"connected"`
	}{reply}))
	for _, b := range behind {
		h.bringUp(ctx, c, b)
	}
}

// named is where a client says that it is.
type named struct {
	at   map[string]string // in the channels in which the connection is
	left []string          // topics that the user has left
	any  bool
}

// named reads the positions that the client named, and forgets them.
func (c *connection) named(following []*subscription) (n named) {
	in := make(map[string]bool, len(following))
	for _, s := range following {
		in[s.channel.name()] = true
	}
	n.at, n.left = c.at.split(func(name string) bool { return in[name] })
	n.any = len(n.at)+len(n.left) > 0
	c.holding.give(len(c.at))
	c.at = nil
	return n
}

// placeIn returns where in a channel the client wants to go on, if it is not just
// here and now, and whether it is clear already that it has lost something.
func (n named) placeIn(s *subscription, topics map[string]membership) (from point, wanted, lost bool) {
	at, named := n.at[s.channel.name()]
	if named {
		var err error
		from, err = parsePoint(at)
		wanted, lost = err == nil, err != nil
	}
	topic, _ := s.channel.topic()
	m, member := topics[topic]
	switch {
	case !member:
	case named && from.seq < m.from.seq:
		// The position is that of an earlier membership. What was sent between
		// the two is none of the client's business.
		return m.from, true, true
	case !named && (n.any || s.position().seq < m.from.seq):
		return m.from, true, false // the user joined while this client was away
	}
	return from, wanted, lost
}

// backlog is what a connection that waits has to be given before it goes live.
type backlog struct {
	sub   *subscription
	from  point
	first *page // the page after from; nil when it has not been read
}

// backlog finds out what a client lacks that is at a point. It returns false when
// the channel does not reach back to there.
func (h *hub) backlog(ctx context.Context, c *connection, s *subscription, from point) (backlog, bool) {
	if s.goLiveAt(c, from) {
		return backlog{sub: s, from: from, first: &page{to: from, complete: true}}, true
	}
	p, err := h.replay(ctx, s.channel, from, 0)
	return backlog{s, from, &p}, err == nil && p.complete
}
