package socket

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// subscription is one user's connections to this server and how far these have
// received what is sent to the user.
type subscription struct {
	user string

	// sync is held while Redis is told about the user. It guards the fields
	// below it, and is taken before mu.
	sync       sync.Mutex
	registered string   // the incarnation under which the user is registered
	counted    int      // how many connections the directory has for it
	enrolled   string   // the incarnation that is known to have the user in its set
	servers    []string // all under which the user is or, after a lost reply, may be
	unpushed   bool     // the outbox may hold transitions
	gone       bool     // no longer in the hub

	mu     sync.Mutex
	conns  map[*connection]struct{}
	joined bool    // last is known
	last   uint64  // sequence of the newest message that the connections have
	early  []entry // what came before last was known
}

// join adds a connection to its user's subscription and returns when the user is
// registered in Redis: what is sent from then on reaches the connection. It
// returns an error that wraps errTooMany when the user has enough of them.
func (h *hub) join(c *connection, user string) (*subscription, error) {
	for {
		s := h.subscription(user)
		s.sync.Lock()
		if s.gone { // the last connection left just now
			s.sync.Unlock()
			continue
		}
		s.mu.Lock()
		if len(s.conns) == 0 { // perhaps back within the grace
			s.registered, s.joined, s.early = "", false, nil
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		ctx, cancel := h.redisContext()
		err := h.tellRedisOf(ctx, s, h.maxPerUser)
		cancel()
		s.mu.Lock()
		if err == nil {
			h.grace.remove(s)
		} else {
			delete(s.conns, c)
			h.syncLater(user)
		}
		s.mu.Unlock()
		s.sync.Unlock()
		return s, err
	}
}

// leave takes a connection out of its user's subscription. Redis is told when it
// was the last one and nobody waits for the user, or when connections are
// counted: now or, when Redis is away, later.
func (h *hub) leave(c *connection, s *subscription) {
	s.mu.Lock()
	delete(s.conns, c)
	wanted := len(s.conns) > 0
	switch {
	case wanted:
	case c.saidGoodbye() || h.offlineAfter == 0:
		h.grace.remove(s)
	default:
		h.grace.add(s)
		wanted = true
	}
	s.mu.Unlock()
	if wanted && h.maxPerUser == 0 {
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

// redisContext is not a handler's, which is over when the handler takes too long.
// It ends when a stopping server has waited long enough.
func (h *hub) redisContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(h.base, redisTimeout)
}

// subscription finds the user's subscription or makes an empty one.
func (h *hub) subscription(user string) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.subs[user]
	if s == nil {
		s = &subscription{user: user, conns: map[*connection]struct{}{}}
		h.subs[user] = s
	}
	return s
}

// find returns the user's subscription, or nil.
func (h *hub) find(user string) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.subs[user]
}

// tellRedis makes Redis agree with the subscription: the user is registered
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
	in := seat{len(s.conns), limit}
	wanted := in.count > 0 || h.grace.has(s)
	s.mu.Unlock()
	if wanted {
		return h.register(ctx, s, in)
	}
	if err := h.unregister(ctx, s); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, s.user)
	s.gone = true
	return nil
}

// register registers the user under the current lease, when it is not yet, or
// with another number of connections, when these are limited.
func (h *hub) register(ctx context.Context, s *subscription, in seat) error {
	l := h.current.Load()
	if fresh := s.registered != l.server; fresh || h.maxPerUser > 0 && s.counted != in.count {
		if err := h.enroll(ctx, s, l); err != nil {
			return err
		}
		last := s.newest()
		withJobs := h.handlers.OnOnline != nil || h.handlers.OnOffline != nil
		top, unpushed, err := h.presence.register(ctx, s.user, *l, withJobs, in)
		if err != nil {
			return err
		}
		s.registered, s.counted, s.unpushed = l.server, in.count, s.unpushed || unpushed
		if top < last {
			s.goBack(last, top)
		}
		if fresh {
			h.catchUp(ctx, s, top)
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
func (h *hub) enroll(ctx context.Context, s *subscription, l *lease) error {
	if !slices.Contains(s.servers, l.server) {
		s.servers = append(s.servers, l.server)
		l.census.adding.Add(1)
	}
	if s.enrolled == l.server {
		return nil
	}
	if err := h.presence.enroll(ctx, s.user, l.server); err != nil {
		return err
	}
	s.enrolled = l.server
	l.census.added.Add(1)
	return nil
}

// forget takes the user, who is in no directory under the incarnation any more,
// out of its set.
func (h *hub) forget(ctx context.Context, s *subscription, server string) error {
	l := h.current.Load()
	if s.enrolled == server {
		s.enrolled = ""
		if l.server == server {
			l.census.removing.Add(1)
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

// newest returns the sequence of the newest message that the connections have, 0
// when that is not known.
func (s *subscription) newest() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined {
		return 0
	}
	return s.last
}

// goBack closes the connections, which have messages up to last, while those that
// Redis has end at top: it may have forgotten others that they do not have.
func (s *subscription) goBack(last, top uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == last {
		s.last = top
	}
	s.fail(closeFrame(CloseMissed, "some messages were missed"))
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
		if err := h.forget(ctx, s, s.servers[0]); err != nil {
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
	s.joined, s.early = false, nil
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
	for user := range h.subs {
		h.unsynced[user] = struct{}{}
	}
}

// sync tells Redis what it could not be told before. Users of whom it still
// cannot be told stay for the next time.
func (h *hub) sync(ctx context.Context) error {
	h.mu.Lock()
	users := slices.Collect(maps.Keys(h.unsynced))
	clear(h.unsynced)
	h.mu.Unlock()
	return h.syncUsers(ctx, users)
}

// syncUsers tells Redis about some users, and has the others of whom it cannot be
// told wait for the next sync.
func (h *hub) syncUsers(ctx context.Context, users []string) (failed error) {
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
	for _, user := range users {
		queue <- user
	}
	close(queue)
	work.Wait()
	return failed
}

func (h *hub) syncUser(ctx context.Context, user string) error {
	s := h.find(user)
	if s == nil {
		return nil
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	return h.tellRedis(ctx, s)
}

// fail closes every connection.
func (s *subscription) fail(f frame) {
	for c := range s.conns {
		c.fail(f)
	}
}

// fanOut gives a message to every connection.
func (s *subscription) fanOut(f frame) {
	for c := range s.conns {
		if f.opcode == websocket.CloseMessage {
			c.finish(f)
			continue
		}
		_ = c.send(f) // a connection that cannot take it is closed
	}
}
