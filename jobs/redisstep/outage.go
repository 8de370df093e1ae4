package redisstep

import (
	"log/slog"
	"sync"
	"time"
)

// Outage is something that is tried again and again. When it fails, the log is told
// so at once, then once a minute, and when it works again: what is tried every second
// for an hour, or by many at once, must not fill the log.
type Outage struct {
	Log  *slog.Logger
	What string // is tried

	mu       sync.Mutex
	since    time.Time // it fails; zero when it does not
	told     time.Time // that it fails
	failures int
}

// toldEvery is how often the log is told that something goes on to fail.
const toldEvery = time.Minute

// Note tells the log, if it is time to, of the result of an attempt; nil is success.
// The error is explained.
func (o *Outage) Note(err error, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil:
		if o.failures++; o.failures == 1 {
			o.since = now
		}
		if o.failures == 1 || now.Sub(o.told) >= toldEvery {
			o.told = now
			args = append(args, "error", Explain(err))
			if o.failures > 1 {
				args = append(args, "failures", o.failures, "since", o.since)
			}
			o.Log.Warn(o.What+" failed, and is tried again", args...)
		}
	case o.failures > 0:
		o.Log.Info(o.What+" works again", append(args, "failures", o.failures, "since", o.since)...)
		o.failures = 0
	}
}
