package socket

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// memberships are the users of whom the server was told that their topics have
// changed, and has not looked yet.
type memberships struct {
	mu      sync.Mutex
	changed map[string]struct{}
	some    chan struct{} // has one element when there may be some
}

func newMemberships() *memberships {
	return &memberships{changed: map[string]struct{}{}, some: make(chan struct{}, 1)}
}

func (m *memberships) note(user string) {
	m.mu.Lock()
	m.changed[user] = struct{}{}
	m.mu.Unlock()
	select {
	case m.some <- struct{}{}:
	default:
	}
}

func (m *memberships) take() (users []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for user := range m.changed {
		users = append(users, user)
	}
	clear(m.changed)
	return users
}

// keepMemberships has the connections follow the topics of their users until ctx
// is cancelled.
func (h *hub) keepMemberships(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.memberships.some:
		}
		users := h.memberships.take()
		err := inParallel(users, func(user string) error {
			err := h.syncTopics(ctx, user)
			if err != nil {
				h.memberships.note(user)
			}
			return err
		})
		if err != nil && ctx.Err() == nil {
			h.log.Warn("socket: topics are behind", "error", err)
			pause(ctx, retryPause)
		}
	}
}

// syncTopics has the connections of a user follow the user's topics.
func (h *hub) syncTopics(ctx context.Context, user string) error {
	s := h.find(userChannel(user))
	if s == nil {
		return nil
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	topics, err := h.topicsOf(ctx, user)
	if err != nil {
		return err
	}
	for topic := range s.topics {
		if _, still := topics[topic]; !still {
			for _, c := range s.opened() {
				c.unfollow(topicChannel(topic))
			}
			delete(s.topics, topic)
		}
	}
	for topic, from := range topics {
		if _, before := s.topics[topic]; before {
			continue
		}
		// First the connections, or an error would leave some out.
		for _, c := range s.opened() {
			if err := h.follow(c, topic, from); err != nil {
				return err
			}
		}
		s.topics[topic] = from
	}
	return nil
}

// loadTopics reads the topics of a user who has just been registered. The caller
// holds sync.
func (h *hub) loadTopics(ctx context.Context, s *subscription) (err error) {
	if s.topics == nil {
		s.topics, err = h.topicsOf(ctx, s.user)
		return err
	}
	h.memberships.note(s.user) // under a new lease: some changes may have been missed
	return nil
}

// opened returns the user's connections that follow the user's topics.
func (s *subscription) opened() (all []*connection) {
	s.each(func(c *connection) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.opened {
			all = append(all, c)
		}
	})
	return all
}

// topicsFor returns the user's topics for a connection that opens, and has it told
// of every change from now on.
func (s *subscription) topicsFor(c *connection) []string {
	s.sync.Lock()
	defer s.sync.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened = true
	return slices.Collect(maps.Keys(s.topics))
}

// topicsOf reads the topics that a user is in, and how far each was when the user
// joined.
func (h *hub) topicsOf(ctx context.Context, user string) (map[string]point, error) {
	values, err := h.leases.redis.HGetAll(ctx, h.keys.topics(user)).Result()
	if err != nil {
		return nil, fmt.Errorf("topics of user %q: %w", user, err)
	}
	topics := make(map[string]point, len(values))
	for topic, value := range values {
		top, err := parseTop(value)
		if err != nil {
			return nil, fmt.Errorf("topics of user %q: %w", user, err)
		}
		topics[topic] = top.point
	}
	return topics, nil
}

// follow has an open connection receive what is sent to a topic after a point.
func (h *hub) follow(c *connection, topic string, from point) error {
	ch := topicChannel(topic)
	s, err := c.join(ch)
	switch {
	case err == ErrClosed || s == nil: // it has ended, or is in the topic
		return nil
	case err != nil:
		return err
	}
	c.tellChange(change{Joined: ch.name(), At: from.String()})
	if !h.enter() {
		return nil // it is about to be closed
	}
	go func() { // a client that reads slowly keeps nobody else
		defer h.work.Done()
		h.bringUp(h.base, c, backlog{sub: s, from: from})
	}()
	return nil
}

// change tells a client of Protocol that its channels have changed.
type change struct {
	Joined string `json:"joined,omitempty"`
	At     string `json:"at,omitempty"`
	Left   string `json:"left,omitempty"`
}

func (c *connection) tellChange(what change) {
	if c.resumes {
		_ = c.post(prepare(controlFrame(what))) // a connection that cannot take it is closed
	}
}

// unfollow ends what follow began.
func (c *connection) unfollow(ch channel) {
	c.mu.Lock()
	var s *subscription
	for i, followed := range c.follows {
		if followed.channel == ch {
			s = followed
			c.follows = slices.Delete(c.follows, i, i+1)
			break
		}
	}
	c.mu.Unlock()
	if s != nil {
		c.hub.leave(c, s)
		c.tellChange(change{Left: ch.name()})
	}
}

// joinAlone has a connection without a user follow a topic.
func (c *connection) joinAlone(topic string) error {
	s, err := c.join(topicChannel(topic))
	if err != nil || s == nil {
		return err
	}
	from, _ := s.goLive(c)
	c.tellChange(change{Joined: s.channel.name(), At: from.String()})
	return nil
}

// leaveAlone ends what joinAlone began.
func (c *connection) leaveAlone(topic string) { c.unfollow(topicChannel(topic)) }
