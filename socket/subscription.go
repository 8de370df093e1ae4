package socket

import "sync"

// subscription is the connections of one channel to this server and how far these
// have received what is sent to it.
type subscription struct {
	channel channel
	user    string // whose channel it is

	// sync is held while Redis is told about the user. It guards the fields
	// below it, and is taken before mu.
	sync       sync.Mutex
	registered string                // the incarnation under which the user is registered
	counted    int                   // how many connections the directory has for it
	enrolled   string                // the incarnation that is known to have the user in its set
	servers    []string              // all under which the user is or, after a lost reply, may be
	unpushed   bool                  // the outbox may hold transitions
	topics     map[string]membership // that the open connections follow; a map does not change once it is here
	gone       bool                  // no longer in the hub

	mu      sync.Mutex
	waiting connections // that are not up to date yet, see live.go
	live    connections
	joined  bool       // last is known
	last    point      // how far the live connections are
	held    []delivery // what came before last was known, or after a gap
	fresh   []*message // what the live connections are to be given
}

// subscription finds the channel's subscription or makes an empty one.
func (h *hub) subscription(ch channel) *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.subs[ch]
	if s == nil {
		user, _ := ch.user()
		s = &subscription{channel: ch, user: user}
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

// size is how many connections there are. The caller holds mu.
func (s *subscription) size() int { return s.waiting.size() + s.live.size() }

// each calls f with every connection.
func (s *subscription) each(f func(*connection)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.each(f)
	s.live.each(f)
}

// restart forgets how far the connections were: whoever comes next wants nothing
// that was sent before.
func (s *subscription) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.joined, s.held = false, nil
}

// position returns how far the live connections are, nowhere when that is not
// known.
func (s *subscription) position() point {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined {
		return point{}
	}
	return s.last
}
