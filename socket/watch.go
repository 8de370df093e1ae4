package socket

import "time"

// watch is what a reaper knows of Redis' clock and of the leases, by its own clock,
// which nobody sets. That a lease is over by Redis' clock says that its server is
// dead only when Redis' clock went on evenly for as long as a lease is: when it was
// set ahead, all leases are over, and the living have yet to renew theirs. And a
// lease that was not renewed for as long as it is, while the reaper watched, is that
// of a dead server whatever Redis' clock says: it may have been set back.
type watch struct {
	last reading
	even time.Time           // since when Redis' clock goes on evenly
	seen map[string]sighting // by server
	page int                 // the number of the lease from which on to look next
}

// reading is a look at Redis' clock, and when that was by the own one.
type reading struct {
	redis         int64 // Unix milliseconds
	before, after time.Time
}

// sighting is since when the reaper saw a lease that was not renewed.
type sighting struct {
	score       int64
	since, last time.Time
}

const (
	// clockSlack is by how much more or less than the own clock Redis' may go on
	// between two looks.
	clockSlack = 100 * time.Millisecond
	// sightingKept is how long what was seen of a lease is kept that is not seen again.
	sightingKept = 10 * time.Minute
)

// read takes a look at Redis' clock. It returns by how much the clock was set since
// the one before, or 0.
func (w *watch) read(r reading) (step time.Duration) {
	last := w.last
	w.last = r
	if last.after.IsZero() {
		w.even = r.before
		return 0
	}
	passed := time.Duration(r.redis-last.redis) * time.Millisecond
	least, most := r.before.Sub(last.after)-clockSlack, r.after.Sub(last.before)+clockSlack
	switch {
	case passed > most:
		step = passed - r.after.Sub(last.before)
	case passed < least:
		step = passed - r.before.Sub(last.after)
	default:
		return 0
	}
	w.even = r.after
	return step
}

// forget begins to watch the leases anew. It is for when nobody could renew one.
func (w *watch) forget() { clear(w.seen) }

// dead returns those of the leases whose servers are dead.
func (w *watch) dead(leases []leaseSeen) (dead []leaseSeen) {
	if w.seen == nil {
		w.seen = map[string]sighting{}
	}
	now := w.last.after
	for _, l := range leases {
		if l.score < 0 { // its reaper did not finish
			dead = append(dead, l)
			continue
		}
		s, known := w.seen[l.server]
		if !known || s.score != l.score {
			s = sighting{score: l.score, since: now}
		}
		s.last = now
		w.seen[l.server] = s
		over, unrenewed := l.score <= w.last.redis, now.Sub(s.since)
		if over && max(unrenewed, now.Sub(w.even)) >= l.length || unrenewed >= l.length+reapInterval {
			dead = append(dead, l)
		}
	}
	for server, s := range w.seen {
		if now.Sub(s.last) > sightingKept {
			delete(w.seen, server)
		}
	}
	return dead
}

// turn goes on to the next page of the leases that are not over.
func (w *watch) turn(others int) {
	if w.page += looksAtOnce; w.page >= others {
		w.page = 0
	}
}
