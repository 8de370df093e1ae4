package socket

import (
	"sync"
	"sync/atomic"
)

// place is how many bytes a connection is taken to hold by being there: its reader's
// stack, the buffer that it reads into, and what the server knows of it.
const place = 4 << 10

// strangers counts the bytes that all connections hold together which are not
// authenticated.
type strangers struct {
	limit int64 // 0: none
	held  atomic.Int64
}

// take adds to what is held, unless that would be more than the limit.
func (s *strangers) take(bytes int64) bool {
	if held := s.held.Add(bytes); s.limit == 0 || held <= s.limit {
		return true
	}
	s.held.Add(-bytes)
	return false
}

// errCrowded: connections that are not authenticated hold too much together.
var errCrowded = &violation{CloseTryLater, "too many who are not authenticated, try again later"}

// holding is what one connection holds of what strangers may: its place, what waits
// to be written to it, the messages that are being read and handled, and the
// positions that it named. A connection that belongs to a user holds nothing, and an
// anonymous one only what comes from it: it is meant to stay.
type holding struct {
	of  *strangers
	out atomic.Bool // nothing counts any more

	mu        sync.Mutex
	bytes     int64
	queued    int64 // of them: what waited to be written when it was last looked at
	place     int64 // of them
	anonymous bool
}

// enter takes the place of a connection.
func (h *holding) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.place = place
	return h.add(place)
}

// take counts bytes that come from the client. It fails when there is no room.
func (h *holding) take(bytes int) error {
	if h.out.Load() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.add(int64(bytes))
}

// give counts bytes as gone that take has counted.
func (h *holding) give(bytes int) {
	if h.out.Load() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(int64(bytes))
}

// queue counts what waits to be written now, instead of what waited before.
func (h *holding) queue(bytes int) error {
	if h.out.Load() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.anonymous {
		return nil
	}
	more := int64(bytes) - h.queued
	if err := h.add(more); err != nil {
		return err
	}
	h.queued = int64(bytes)
	return nil
}

// accept is called when the connection has become the user's, or Anonymous.
func (h *holding) accept(user *User) {
	if user != Anonymous {
		h.leave()
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(h.place + h.queued)
	h.place, h.queued, h.anonymous = 0, 0, true
}

// leave gives everything back. From now on nothing counts.
func (h *holding) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(h.bytes)
	h.out.Store(true)
}

// add takes bytes. The caller holds mu.
func (h *holding) add(bytes int64) error {
	if h.out.Load() {
		return nil
	}
	if !h.of.take(bytes) {
		return errCrowded
	}
	h.bytes += bytes
	return nil
}

// drop gives bytes back, if they count. The caller holds mu.
func (h *holding) drop(bytes int64) {
	if h.out.Load() {
		return
	}
	h.bytes -= bytes
	h.of.held.Add(-bytes)
}
