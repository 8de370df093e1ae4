package jobs

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
)

// longestWait bounds the time between two tries. In a FIFO queue a group waits
// behind a failing job, so it is tried more often.
func longestWait(queue string) time.Duration {
	if isFIFO(queue) {
		return time.Minute
	}
	return time.Hour
}

// defaultBackoff doubles from a second up to the longest wait. A random part of
// up to a half is taken off, so that what failed together is not retried
// together.
func defaultBackoff(longest time.Duration) func(attempt int) time.Duration {
	return func(attempt int) time.Duration {
		wait := longest
		if attempt < 20 {
			wait = min(longest, time.Second<<max(0, attempt-1))
		}
		return wait - rand.N(wait/2)
	}
}

// wait is the time until the next try of a job that failed attempt times. A
// Backoff that panics takes no worker with it, and one that returns a negative
// time has overflowed: then it is the default.
func (h Handler) wait(attempt int, log *slog.Logger) (wait time.Duration) {
	err := guard.Call(func() { wait = h.backoff(attempt) })
	if err == nil && wait < 0 {
		err = fmt.Errorf("returned %v", wait)
	}
	if err != nil {
		log.Warn("the default is used for Backoff", "failures", attempt, "error", fmt.Sprintf("Backoff %v", err))
		wait = defaultBackoff(longestWait(h.queue))(attempt)
	}
	return h.bound(wait)
}

// bound keeps a wait within what is allowed for the queue.
func (h Handler) bound(wait time.Duration) time.Duration {
	longest := farthest
	if isFIFO(h.queue) {
		longest = longestWait(h.queue)
	}
	return min(max(0, wait), longest)
}
