package socket

import (
	"log/slog"
	"sync"
	"time"
)

// outage is something that is tried again and again. When it fails, the log is told
// so at once, then now and then, and when it works again: what is tried every second
// for an hour must not fill the log.
type outage struct {
	log  *slog.Logger
	what string // is tried

	mu       sync.Mutex
	since    time.Time // it fails; zero when it does not
	told     time.Time // that it fails
	failures int
}

// outageTold is how often the log is told that something goes on to fail.
const outageTold = time.Minute

// note tells the log, if it is time to, of the result of an attempt.
func (o *outage) note(err error, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	switch {
	case err != nil:
		if o.failures++; o.failures == 1 {
			o.since = now
		}
		if o.failures == 1 || now.Sub(o.told) >= outageTold {
			o.told = now
			args = append(args, "error", err)
			if o.failures > 1 {
				args = append(args, "failures", o.failures, "since", o.since)
			}
			o.log.Warn(o.what+" failed, and is tried again", args...)
		}
	case o.failures > 0:
		o.log.Info(o.what+" works again", append(args, "failures", o.failures, "since", o.since)...)
		o.failures = 0
	}
}
