package socket

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/rarely"
	"github.com/queuerun/queuerun/jobs/redisstep"
)

// hub is one run of a Server: its connections, the subscriptions of their
// users, and the lease under which these are in the users' directories.
type hub struct {
	config
	began       time.Time
	base        context.Context // of handlers
	cancel      context.CancelFunc
	keys        keyspace
	presence    presence
	directory   directory
	topics      topics
	memberships *memberships
	leases      leases
	reaper      Reaper
	current     atomic.Pointer[lease]
	beat        chan struct{} // has one element when the lease is to be renewed at once
	grace       *grace
	behind      redisstep.Outage // of telling Redis who is connected
	refusing    redisstep.Outage // of letting users in
	foreign     rarely.Log       // of pages of other sites
	leaving     atomic.Bool      // stopping, though connections may still be opened
	work        sync.WaitGroup   // readers, writers and handlers of the connections
	wheel       *wheel           // the connections, by when something is due for them
	strangers   strangers        // what those hold that are not authenticated

	mu       sync.Mutex
	stopped  bool
	opened   int // connections that there are or that are being opened
	subs     map[channel]*subscription
	unsynced map[channel]struct{} // channels of which Redis has to be told
	slots    chan struct{}        // bounds how many of these are dealt with at once
}

// syncs is how many users are registered or unregistered in Redis at once.
const syncs = 32

func newHub(ctx context.Context, s *Server) *hub {
	k := newKeyspace(s.Prefix)
	config := s.withDefaults()
	h := &hub{
		config: config, began: time.Now(), keys: k,
		leases:   leases{s.Redis, k},
		grace:    newGrace(config.offlineAfter),
		subs:     map[channel]*subscription{},
		unsynced: map[channel]struct{}{},
		slots:    make(chan struct{}, syncs),
		beat:     make(chan struct{}, 1),
	}
	h.behind = redisstep.Outage{Log: h.log, What: "socket: telling Redis who is connected"}
	h.refusing = redisstep.Outage{Log: h.log, What: "socket: registering users who connect"}
	h.wheel = newWheel(h.config, h.config.tick())
	h.strangers.limit = config.maxUnauthenticated
	h.reaper = Reaper{Redis: s.Redis, Prefix: s.Prefix, Jobs: s.Jobs, Logger: s.Logger}
	if s.Jobs == nil {
		h.reaper.Jobs = h.reaper.jobs()
		h.reaper.Jobs.Handles = []jobs.Handler{s.Handlers.Presence(s.Redis, s.Prefix)}
	}
	h.presence = presence{s.Redis, k, h.reaper.Jobs}
	h.directory = directory{s.Redis, k}
	h.topics = topics{s.Redis, k}
	h.memberships = newMemberships()

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
	h.wheel.add(c)
	return true
}

func (h *hub) remove(c *connection) {
	if !h.wheel.remove(c) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.opened--
}

// connections returns all connections.
func (h *hub) connections() []*connection { return h.wheel.all() }
