package socket

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// subscription is the connections of one channel to this server and how far these
// have received what is sent to it.
type subscription struct {
	channel channel
	user    string // whose channel it is

	// sync is held while Redis is told about the user. It guards the fields
	// below it, and is taken before mu.
	sync       sync.Mutex
	registered string   // the incarnation under which the user is registered
	servers    []string // all under which the user is or, after a lost reply, may be
	unpushed   bool     // the outbox may hold transitions
	gone       bool     // no longer in the hub

	mu     sync.Mutex
	conns  map[*connection]struct{}
	joined bool       // last is known
	last   point      // how far the connections are
	held   []delivery // what came before last was known, or after a gap
}

// join adds a connection to its user's subscription and returns when the user is
// registered in Redis: what is sent from then on reaches the connection.
func (h *hub) join(c *connection, user string) (*subscription, error) {
	for {
		s := h.subscription(user)
		s.sync.Lock()
		if s.gone { // the last connection left just now
			s.sync.Unlock()
			continue
		}
		s.mu.Lock()
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		ctx, cancel := h.redisContext()
		err := h.tellRedis(ctx, s)
		cancel()
		if err != nil {
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
			h.syncLater(user)
		}
		s.sync.Unlock()
		return s, err
	}
}

// leave takes a connection out of its user's subscription. Redis is told when it
// was the last one, now or, when Redis is away, later.
func (h *hub) leave(c *connection, s *subscription) {
	s.mu.Lock()
	delete(s.conns, c)
	empty := len(s.conns) == 0
	s.mu.Unlock()
	if !empty {
		return
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	ctx, cancel := h.redisContext()
	defer cancel()
	if err := h.tellRedis(ctx, s); err != nil {
		h.syncLater(s.user)
	}
}

// redisTimeout bounds what one connection that comes or goes waits for Redis.
const redisTimeout = 10 * time.Second

// redisContext is not a handler's: that of a connection may end at any moment.
func (h *hub) redisContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(h.base), redisTimeout)
}

// subscription finds the user's subscription or makes an empty one.
func (h *hub) subscription(user string) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	ch := userChannel(user)
	s := h.subs[ch]
	if s == nil {
		s = &subscription{channel: ch, user: user, conns: map[*connection]struct{}{}}
		h.subs[ch] = s
	}
	return s
}

// find returns the channel's subscription, or nil.
func (h *hub) find(ch channel) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.subs[ch]
}

// tellRedis makes Redis agree with the subscription: the user is registered
// under the current lease while there are connections, and unregistered when
// there are none, and every transition has become a job. The caller holds sync.
// After an error it must be called again.
func (h *hub) tellRedis(ctx context.Context, s *subscription) error {
	if s.gone {
		return nil
	}
	h.slots <- struct{}{}
	defer func() { <-h.slots }()
	s.mu.Lock()
	wanted := len(s.conns) > 0
	s.mu.Unlock()
	if wanted {
		return h.register(ctx, s)
	}
	if err := h.unregister(ctx, s); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s.channel)
	s.gone = true
	return nil
}

// register registers the user under the current lease, when it is not yet.
func (h *hub) register(ctx context.Context, s *subscription) error {
	l := h.current.Load()
	if s.registered != l.server {
		if !slices.Contains(s.servers, l.server) {
			s.servers = append(s.servers, l.server)
		}
		withJobs := h.handlers.OnOnline != nil || h.handlers.OnOffline != nil
		top, unpushed, err := h.presence.register(ctx, s.user, *l, withJobs)
		if err != nil {
			return err
		}
		s.registered, s.unpushed = l.server, s.unpushed || unpushed
		h.catchUp(ctx, s, top)
	}
	for s.servers[0] != l.server { // what an earlier lease left
		if _, err := h.presence.unregister(ctx, s.user, s.servers[0]); err != nil {
			return err
		}
		s.servers = s.servers[1:]
	}
	return h.push(ctx, s)
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
	if err := h.push(ctx, s); err != nil {
		return err
	}
	for len(s.servers) > 0 {
		if err := h.presence.forget(ctx, s.user, s.servers[0]); err != nil {
			return err
		}
		s.servers = s.servers[1:]
	}
	return nil
}

// restart forgets how far the connections were: whoever comes next wants nothing
// that was sent before.
func (s *subscription) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined, s.held = false, nil
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

// syncLater has Redis told about a user as soon as it can be.
func (h *hub) syncLater(user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unsynced[user] = struct{}{}
}

// syncAll has Redis told about every user, under a new lease.
func (h *hub) syncAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.subs {
		h.unsynced[s.user] = struct{}{}
	}
}

// sync tells Redis what it could not be told before. Users of whom it still
// cannot be told stay for the next time.
func (h *hub) sync(ctx context.Context) (failed error) {
	h.mu.Lock()
	users := h.unsynced
	h.unsynced = map[string]struct{}{}
	h.mu.Unlock()
	var work sync.WaitGroup
	var mu sync.Mutex
	queue := make(chan string)
	for range min(syncs, len(users)) {
		work.Go(func() {
			for user := range queue {
				if err := h.syncUser(ctx, user); err != nil {
					h.syncLater(user)
					mu.Lock()
					failed = fmt.Errorf("tell Redis about user %q: %w", user, err)
					mu.Unlock()
				}
			}
		})
	}
	for user := range users {
		queue <- user
	}
	close(queue)
	work.Wait()
	return failed
}

func (h *hub) syncUser(ctx context.Context, user string) error {
	s := h.find(userChannel(user))
	if s == nil {
		return nil
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return h.tellRedis(ctx, s)
}

// missed tells every connection that messages are lost for it.
func (s *subscription) missed() {
	for c := range s.conns {
		c.fail(closeFrame(CloseMissed, "some messages were missed"))
	}
}

// fanOut gives a message to every connection.
func (s *subscription) fanOut(d delivery) {
	for c := range s.conns {
		if d.record.opcode == websocket.CloseMessage {
			c.finish(d.record.frame)
			continue
		}
		_ = c.send(d.record.frame) // a connection that cannot take it is closed
	}
}
