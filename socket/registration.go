package socket

import (
	"context"
	"slices"
)

// tellRedis makes Redis agree with the subscription: the channel is registered
// under the current lease while there are connections or may be some in a moment,
// and unregistered when there are none, and every transition has become a job.
// The caller holds sync. After an error it must be called again.
func (h *hub) tellRedis(ctx context.Context, s *subscription) error {
	return h.tellRedisOf(ctx, s, 0)
}

// tellRedisOf is tellRedis for one more connection, if the user then has no more
// than limit of them on all servers, or 0 for any number.
func (h *hub) tellRedisOf(ctx context.Context, s *subscription, limit int) error {
	if s.gone {
		return nil
	}
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	s.mu.Lock()
	in := seat{count: s.size(), limit: limit, known: s.registered != "" || h.grace.has(s)}
	wanted := in.count > 0 || h.grace.has(s)
	s.mu.Unlock()
	var err error
	switch {
	case wanted && s.user == "":
		return h.underLease(ctx, func(l *lease) error { return h.enterDirectory(ctx, s, l) })
	case wanted:
		return h.underLease(ctx, func(l *lease) error { return h.register(ctx, s, l, in) })
	case s.user == "":
		err = h.leaveDirectory(ctx, s)
	default:
		err = h.unregister(ctx, s)
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s.channel)
	s.gone = true
	return nil
}

// register registers the user under the current lease, when it is not yet, or
// with another number of connections, when these are limited.
func (h *hub) register(ctx context.Context, s *subscription, l *lease, in seat) error {
	if fresh := s.registered != l.server; fresh || h.maxPerUser > 0 && s.counted != in.count {
		if err := h.enroll(ctx, s, l, in.known); err != nil {
			return err
		}
		before := s.position()
		withJobs := h.handlers.OnOnline != nil || h.handlers.OnOffline != nil
		top, unpushed, err := h.presence.register(ctx, s.user, *l, withJobs, in)
		if err != nil {
			return err
		}
		s.registered, s.counted, s.unpushed = l.server, in.count, s.unpushed || unpushed
		if fresh {
			h.catchUp(ctx, s, before, top)
			if err := h.loadTopics(ctx, s, l); err != nil {
				s.registered = ""
				return err
			}
		}
	}
	for s.servers[0] != l.server { // what an earlier lease left
		if _, err := h.presence.unregister(ctx, s.user, s.servers[0]); err != nil {
			return err
		}
		s.servers = s.servers[1:]
	}
	return h.push(ctx, s)
}

// enroll puts the user into the set of the current incarnation, when it is not
// known to be there.
func (h *hub) enroll(ctx context.Context, s *subscription, l *lease, known bool) error {
	if !slices.Contains(s.servers, l.server) {
		s.servers = append(s.servers, l.server)
		l.census.adding.Add(1)
	}
	if s.enrolled == l.server {
		return nil
	}
	if err := h.presence.enroll(ctx, s.user, l.server, known); err != nil {
		return err
	}
	s.enrolled = l.server
	l.census.entered(s.user)
	return nil
}

// forget takes the user, who is in no directory under the incarnation any more,
// out of its set.
func (h *hub) forget(ctx context.Context, s *subscription, server string) error {
	l := h.current.Load()
	if s.enrolled == server {
		s.enrolled = ""
		if l.server == server {
			l.census.leaving(s.user)
		}
	}
	if err := h.presence.forget(ctx, s.user, server); err != nil {
		return err
	}
	if l.server == server {
		l.census.removed.Add(1)
	}
	return nil
}

// unregister takes the user out of the directory, and then, with every
// transition pushed, out of the server's set.
func (h *hub) unregister(ctx context.Context, s *subscription) error {
	s.registered = "" // also when the reply is lost
	for _, server := range s.servers {
		unpushed, err := h.presence.unregister(ctx, s.user, server)
		if err != nil {
			return err
		}
		s.unpushed = s.unpushed || unpushed
	}
	s.restart()
	s.topics = nil
	if err := h.push(ctx, s); err != nil {
		return err
	}
	for len(s.servers) > 0 {
		if err := h.forget(ctx, s, s.servers[0]); err != nil {
			return err
		}
		s.servers = s.servers[1:]
	}
	return nil
}

// push makes jobs of the transitions in the outbox.
func (h *hub) push(ctx context.Context, s *subscription) error {
	if !s.unpushed {
		return nil
	}
	if err := h.presence.flush(ctx, s.user); err != nil {
		return err
	}
	s.unpushed = false
	return nil
}
