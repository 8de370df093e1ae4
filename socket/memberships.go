package socket

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

// memberships are the users of whom the server was told that their topics have
// changed, and has not looked yet.
type memberships struct {
	mu      sync.Mutex
	changed map[string]topicNames
	some    chan struct{} // has one element when there may be some
}

// topicNames is a set of topics, all of them if it is nil.
type topicNames map[string]struct{}

func newMemberships() *memberships {
	return &memberships{changed: map[string]topicNames{}, some: make(chan struct{}, 1)}
}

// note notes that any topics of a user may have changed.
func (m *memberships) note(user string) { m.add(user, nil) }

// noteTopic notes that a user may have joined or left a topic.
func (m *memberships) noteTopic(user, topic string) { m.add(user, topicNames{topic: {}}) }

func (m *memberships) add(user string, topics topicNames) {
	m.mu.Lock()
	before, noted := m.changed[user]
	switch {
	case !noted || topics == nil:
		m.changed[user] = topics
	case before != nil:
		maps.Copy(before, topics)
	}
	m.mu.Unlock()
	select {
	case m.some <- struct{}{}:
	default:
	}
}

func (m *memberships) take() map[string]topicNames {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := m.changed
	m.changed = map[string]topicNames{}
	return changed
}

// keepMemberships has the connections follow the topics of their users until ctx
// is cancelled.
func (h *hub) keepMemberships(ctx context.Context) {
	trouble := redisstep.Outage{Log: h.log, What: "socket: reading the topics of users"}
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.memberships.some:
		}
		changed := h.memberships.take()
		err := inParallel(slices.Collect(maps.Keys(changed)), func(user string) error {
			err := h.syncTopics(ctx, user, changed[user])
			if err != nil {
				h.memberships.add(user, changed[user])
			}
			return err
		})
		if ctx.Err() != nil {
			return
		}
		if trouble.Note(err); err != nil {
			pause(ctx, retryPause)
		}
	}
}

// syncTopics has the connections of a user follow those of these topics that the
// user is in.
func (h *hub) syncTopics(ctx context.Context, user string, names topicNames) error {
	s := h.find(userChannel(user))
	if s == nil {
		return nil
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	if s.registered == "" {
		return nil // who registers the user reads the topics
	}
	if names != nil {
		return h.syncSome(ctx, s, names)
	}
	topics, err := h.topics.of(ctx, user)
	if err != nil {
		return err
	}
	return h.follow(s, s.topics, topics)
}

// syncSome is syncTopics for some topics. The caller holds sync.
func (h *hub) syncSome(ctx context.Context, s *subscription, names topicNames) error {
	topics, err := h.topics.some(ctx, s.user, slices.Collect(maps.Keys(names)))
	if err != nil {
		return err
	}
	before := map[string]membership{}
	for topic := range names {
		if m, followed := s.topics[topic]; followed {
			before[topic] = m
		}
	}
	return h.follow(s, before, topics)
}

// follow has the open connections of a user follow these topics, in place of those
// before. After an error it must be called again. The caller holds sync.
func (h *hub) follow(s *subscription, before, topics map[string]membership) error {
	if maps.Equal(before, topics) {
		return nil
	}
	all := s.opened()
	followed := maps.Clone(s.topics) // a connection that opens may have the other one
	defer func() { s.topics = followed }()
	for topic, m := range before {
		if topics[topic] == m {
			continue
		}
		for _, c := range all {
			c.unfollow(topicChannel(topic))
		}
		delete(followed, topic)
	}
	begun := maps.Clone(topics)
	maps.DeleteFunc(begun, func(topic string, m membership) bool { return followed[topic] == m })
	for _, topic := range inOrder(begun) {
		m := begun[topic]
		for _, c := range all {
			if err := c.follow(topic, m); err != nil {
				return err
			}
		}
		if followed == nil {
			followed = map[string]membership{}
		}
		followed[topic] = m
	}
	return nil
}

// inOrder returns the topics as the user joined them, which is how clients are told
// of them.
func inOrder(topics map[string]membership) []string {
	return slices.SortedFunc(maps.Keys(topics), func(a, b string) int {
		return cmp.Compare(topics[a].number, topics[b].number)
	})
}

// loadTopics reads the topics of a user who has just been registered. The caller
// holds sync.
func (h *hub) loadTopics(ctx context.Context, s *subscription, l *lease) error {
	topics, err := h.topics.of(ctx, s.user)
	if err != nil {
		return err
	}
	if len(s.opened()) == 0 {
		s.topics = topics
		return nil
	}
	// Under a new lease.
	if l.restores {
		if err := h.restoreTopics(ctx, s, topics); err != nil {
			return err
		}
	}
	h.memberships.note(s.user)
	return nil
}

// restoreTopics makes the user a member of the topics again that Redis has
// forgotten. The connections go on to follow them.
func (h *hub) restoreTopics(ctx context.Context, s *subscription, known map[string]membership) error {
	restored := false
	for topic := range s.topics {
		if _, ok := known[topic]; ok {
			continue
		}
		if err := h.topics.join(ctx, s.user, topic); err != nil {
			return fmt.Errorf("restore topic %q of user %q: %w", topic, s.user, err)
		}
		restored = true
	}
	if !restored {
		return nil
	}
	now, err := h.topics.of(ctx, s.user)
	if err != nil {
		return err
	}
	followed := maps.Clone(s.topics)
	for topic := range followed {
		if _, ok := known[topic]; !ok {
			followed[topic] = now[topic]
		}
	}
	s.topics = followed
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

// topicsNow returns the topics that the user's connections follow. The map does
// not change.
func (s *subscription) topicsNow() map[string]membership {
	s.sync.Lock()
	defer s.sync.Unlock()
	return s.topics
}

// keepUp has a connection, which follows these topics, follow those that the user
// is in now, and all changes from now on.
func (c *connection) keepUp(s *subscription, topics map[string]membership) error {
	s.sync.Lock()
	defer s.sync.Unlock()
	for topic, m := range topics {
		if s.topics[topic] != m {
			c.unfollow(topicChannel(topic))
		}
	}
	for topic, m := range s.topics {
		if topics[topic] != m {
			if err := c.follow(topic, m); err != nil {
				return err
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened = true
	return nil
}

// follow has an open connection receive what was sent to a topic since the user
// is in it.
func (c *connection) follow(topic string, m membership) error {
	h, ch := c.hub, topicChannel(topic)
	s, err := c.join(ch)
	switch {
	case err == ErrClosed || s == nil: // it has ended, or is in the topic
		return nil
	case err != nil:
		return err
	}
	c.tellChange(change{Joined: ch.name(), At: m.from.String()})
	if !h.enter() {
		return nil // it is about to be closed
	}
	go func() { // a client that reads slowly keeps nobody else
		defer h.work.Done()
		c.rising.Lock()
		defer c.rising.Unlock()
		h.bringUp(h.base, c, backlog{sub: s, from: m.from})
	}()
	return nil
}

// unfollow ends what follow began.
func (c *connection) unfollow(ch channel) {
	c.mu.Lock()
	s := c.follows.remove(ch)
	c.mu.Unlock()
	if s != nil {
		c.hub.leave(c, s)
		c.tellChange(change{Left: ch.name()})
	}
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

// joinAlone has a connection without a user follow a topic.
func (c *connection) joinAlone(topic string) error {
	c.rising.Lock()
	defer c.rising.Unlock()
	s, err := c.join(topicChannel(topic))
	if err != nil || s == nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	if s.waiting.remove(c) { // or it has ended
		c.tellChange(change{Joined: s.channel.name(), At: s.last.String()})
		s.live.add(c)
	}
	return nil
}

// leaveAlone ends what joinAlone began.
func (c *connection) leaveAlone(topic string) {
	c.rising.Lock()
	defer c.rising.Unlock()
	c.unfollow(topicChannel(topic))
}
