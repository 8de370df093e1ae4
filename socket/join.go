package socket

import (
	"context"
	"time"
)

// join adds a connection to a channel, where it waits, and returns when the
// channel is registered in Redis: the server receives what is sent from then on.
// It returns an error that wraps errTooMany when the user whose channel it is has
// enough connections.
func (h *hub) join(c *connection, ch channel) (*subscription, error) {
	for {
		s := h.subscription(ch)
		s.sync.Lock()
		if s.gone { // the last connection left just now
			s.sync.Unlock()
			continue
		}
		s.mu.Lock()
		if s.size() == 0 { // perhaps back within the grace, and not to be given what came before
			s.registered, s.joined, s.held = "", false, nil
		}
		s.waiting.add(c)
		s.mu.Unlock()
		ctx, cancel := h.redisContext()
		err := h.tellRedisOf(ctx, s, h.maxPerUser)
		cancel()
		s.mu.Lock()
		if err == nil {
			h.grace.remove(s)
		} else {
			s.waiting.remove(c)
			h.syncLater(ch)
		}
		s.mu.Unlock()
		s.sync.Unlock()
		return s, err
	}
}

// leave takes a connection out of a channel. Redis is told when it was the last
// one and nobody waits for its user, or when connections are counted: now or, when
// Redis is away, later.
func (h *hub) leave(c *connection, s *subscription) {
	s.mu.Lock()
	s.flush()
	if !s.live.remove(c) {
		s.waiting.remove(c)
	}
	wanted := s.size() > 0
	switch {
	case wanted || s.user == "":
	case c.saidGoodbye() || h.offlineAfter == 0:
		h.grace.remove(s)
	default:
		h.grace.add(s)
		wanted = true
	}
	s.mu.Unlock()
	switch {
	case s.user == "":
		if !wanted {
			h.syncLater(s.channel) // nobody asks who is in its directory
		}
		return
	case wanted && h.maxPerUser == 0:
		return
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	ctx, cancel := h.redisContext()
	defer cancel()
	if err := h.tellRedis(ctx, s); err != nil {
		h.syncLater(s.channel)
	}
}

// redisTimeout bounds what one connection that comes or goes waits for Redis.
const redisTimeout = 10 * time.Second

// redisContext is not a handler's, which is over when the handler takes too long.
// It ends when a stopping server has waited long enough.
func (h *hub) redisContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(h.base, redisTimeout)
}
