package socket

import (
	"math/rand/v2"
	"sync"
	"time"
)

// DefaultCloseSpread is the longest time over which a stopping server closes its
// connections.
const DefaultCloseSpread = 2 * time.Second

const (
	// closePace is how many connections a second may come back to the other
	// servers without anybody noticing: few connections are closed no slower
	// than that, whatever the spread.
	closePace = 1000
	// goodbyeTimeout is how long the clients of a stopping server have, after
	// the last one was told, to read what was sent and to answer.
	goodbyeTimeout = time.Second
)

// closeAll takes no new connections, closes those that there are, and returns when
// all have ended and their handlers have returned.
func (h *hub) closeAll() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	conns := h.connections(-1)
	h.sendAway(conns)

	done := make(chan struct{})
	go func() {
		defer close(done)
		h.work.Wait()
	}()
	var ending sync.WaitGroup
	defer ending.Wait()
	silent, patience := time.NewTimer(goodbyeTimeout), time.NewTimer(h.drain)
	defer silent.Stop()
	defer patience.Stop()
	for {
		select {
		case <-done:
			h.cancel()
			return
		case <-silent.C:
			for _, c := range conns {
				ending.Go(c.end) // does nothing if it has ended
			}
		case <-patience.C:
			h.log.Warn("socket: handlers are still running, their contexts are cancelled")
			h.cancel()
		}
	}
}

// sendAway closes connections, evenly spread over some time, so that their
// clients do not all come to the other servers in the same moment.
func (h *hub) sendAway(conns []*connection) {
	spread := min(h.closeSpread, time.Duration(len(conns))*time.Second/closePace)
	advice := spread
	if h.offlineAfter > 0 {
		advice = min(spread, h.offlineAfter/2) // who follows it is never offline
	}
	began := time.Now()
	for i, c := range conns {
		due := spread * time.Duration(i) / time.Duration(len(conns))
		if wait := due - time.Since(began); wait > 0 {
			time.Sleep(wait)
		}
		c.advise(rand.N(advice + 1))
		c.finish(closeFrame(CloseRestart, "the server is restarting"))
	}
}

// advise tells a client that its connection is about to be closed, and after
// about how long it should come back. Plain clients have no frame for it: the
// close code has to do.
func (c *connection) advise(after time.Duration) {}
