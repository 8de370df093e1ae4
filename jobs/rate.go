package jobs

import (
	"fmt"
	"time"
)

// rate is how many jobs may be started in any time of a given length; n is 0
// without a limit.
type rate struct {
	n   int
	per time.Duration
}

// mostRate bounds what Redis has to remember of the starts.
const mostRate = 100_000

// Rate starts at most n jobs of the queue, 1 to 100,000, in any time of the
// length per (a millisecond to 36,500 days, rounded up to whole milliseconds), in
// all workers together: Rate(10,
// time.Second) for a service that takes ten requests a second. A retry is a
// start too. Jobs over the rate wait in line. Workers of the queue need the
// same Rate, for each keeps to its own.
func Rate(n int, per time.Duration) HandlerOption {
	return func(h *Handler) {
		if n < 1 || n > mostRate || per < time.Millisecond || per > farthest {
			h.fail(fmt.Errorf("Rate(%d, %v): from 1 to %d in a millisecond to 36,500 days", n, per, mostRate))
			return
		}
		h.rate = rate{n, time.Duration(ceilMillis(per)) * time.Millisecond}
	}
}
