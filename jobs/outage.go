package jobs

import (
	"log/slog"
	"sync"
	"time"
)

// remindEvery is how often it is said that something goes on failing.
const remindEvery = time.Minute

// outage keeps the log readable while something fails again and again, for the
// same reason and for many jobs: it says that it begins, now and then that it
// goes on, and that it is over.
type outage struct {
	mu    sync.Mutex
	since time.Time // zero: nothing fails
	said  time.Time
	times int
}

// failed logs a failure, unless one was logged a short while ago.
func (o *outage) failed(log *slog.Logger, what string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if o.times++; o.since.IsZero() {
		o.since = now
	} else if now.Sub(o.said) < remindEvery {
		return
	}
	o.said = now
	log.Warn(what, "error", err, "times", o.times)
}

// over notes that it works. It costs nothing to say so each time.
func (o *outage) over(log *slog.Logger, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return
	}
	log.Info(what, "after", time.Since(o.since).Round(time.Millisecond), "failures", o.times)
	o.since, o.times = time.Time{}, 0
}
