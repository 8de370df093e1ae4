// Package rarely tells the log now and then of what strangers can make happen as
// often as they like, such as refusals, so that they do not fill it.
//
// It is no part of what programs may rely on. It is outside of internal because
// the other packages need it as well.
package rarely

import (
	"log/slog"
	"sync"
	"time"
)

// toldEvery is how often the log is told of refusals of one kind.
const toldEvery = time.Minute

// Log has the refusals of one kind: the log is told of the first at once, and then of
// one in a minute, with how many there were since the line before. It may be used by
// several goroutines.
type Log struct {
	mu    sync.Mutex
	told  time.Time
	since int // how many there were since the log was told
}

// Note tells the log of a refusal, if it is time to.
func (l *Log) Note(log *slog.Logger, message string, args ...any) {
	l.mu.Lock()
	l.since++
	now := time.Now()
	if !l.told.IsZero() && now.Sub(l.told) < toldEvery {
		l.mu.Unlock()
		return
	}
	l.told = now
	if l.since > 1 {
		args = append(args, "refusals", l.since)
	}
	l.since = 0
	l.mu.Unlock()
	log.Warn(message, args...)
}
