package socket

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

// hub is one run of a Server: its connections, the subscriptions of their
// users, and the lease under which these are in the users' directories.
type hub struct {
	config
	base     context.Context // of handlers
	cancel   context.CancelFunc
	keys     keyspace
	presence presence
	leases   leases
	reaper   Reaper
	current  atomic.Pointer[lease]
	grace    *grace
	leaving  atomic.Bool    // stopping, though connections may still be opened
	work     sync.WaitGroup // readers, writers and handlers of the connections

	mu       sync.Mutex
	stopped  bool
	opened   int                        // connections that there are or that are being opened
	rounds   []map[*connection]struct{} // the connections, by the second in which they are pinged
	next     int                        // the round that takes the next connection
	subs     map[string]*subscription   // by user
	unsynced map[string]struct{}        // users of whom Redis has to be told
	slots    chan struct{}              // bounds how many of these are dealt with at once
}

// syncs is how many users are registered or unregistered in Redis at once.
const syncs = 32

func newHub(ctx context.Context, s *Server) *hub {
	k := newKeyspace(s.Prefix)
	config := s.withDefaults()
	h := &hub{
		config: config, keys: k,
		leases:   leases{s.Redis, k},
		grace:    newGrace(config.offlineAfter),
		subs:     map[string]*subscription{},
		unsynced: map[string]struct{}{},
		slots:    make(chan struct{}, syncs),
	}
	h.rounds = make([]map[*connection]struct{}, max(1, int(h.ping/time.Second)))
	for i := range h.rounds {
		h.rounds[i] = map[*connection]struct{}{}
	}
	h.reaper = Reaper{Redis: s.Redis, Prefix: s.Prefix, Jobs: s.Jobs, Logger: s.Logger}
	if s.Jobs == nil {
		h.reaper.Jobs = h.reaper.jobs()
		h.reaper.Jobs.Handles = []jobs.Handler{s.Handlers.Presence(s.Redis, s.Prefix)}
	}
	h.presence = presence{s.Redis, k, h.reaper.Jobs}

	h.base, h.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if _, err := senderFrom(h.base); err != nil {
		sender := NewSender(s.Redis)
		sender.Prefix = s.Prefix
		h.base = sender.Context(h.base)
	}
	h.base = jobs.WithUserID(h.reaper.Jobs.Context(h.base), "")
	return h
}

// enter begins the work of opening a connection, unless the hub is stopping.
// The caller must call work.Done when it has opened it.
func (h *hub) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.stopped {
		h.work.Add(1)
	}
	return !h.stopped
}

// reserve counts a connection that is to be opened, unless there are as many as
// there may be. When it was not added in the end, unreserve takes it back.
func (h *hub) reserve() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.maxConnections > 0 && h.opened >= h.maxConnections {
		return false
	}
	h.opened++
	return true
}

func (h *hub) unreserve() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened--
}

// add makes the connection one of the hub's, for which a place was reserved,
// unless the hub is stopping.
func (h *hub) add(c *connection) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return false
	}
	c.round = h.next
	h.rounds[h.next][c] = struct{}{}
	h.next = (h.next + 1) % len(h.rounds)
	return true
}

func (h *hub) remove(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, added := h.rounds[c.round][c]; added {
		delete(h.rounds[c.round], c)
		h.opened--
	}
}

// connections returns the connections of one round, or of all when it is -1.
func (h *hub) connections(round int) []*connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*connection
	for i, conns := range h.rounds {
		if round < 0 || i == round {
			for c := range conns {
				all = append(all, c)
			}
		}
	}
	return all
}

// pings pings every connection once in an interval, a few each second.
func (h *hub) pings(ctx context.Context) {
	ticker := time.NewTicker(h.ping / time.Duration(len(h.rounds)))
	defer ticker.Stop()
	for round := 0; ; round = (round + 1) % len(h.rounds) {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		for _, c := range h.connections(round) {
			c.ping()
		}
	}
}
