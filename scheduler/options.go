package scheduler

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Option changes how a schedule runs.
type Option func(*Schedule)

// Timeout is how long one run may take before its context is cancelled. It must
// be positive, and at most ten years. Without it a run may take 5 minutes, or the
// shortest interval of the schedule if that is less.
func Timeout(d time.Duration) Option {
	return func(s *Schedule) {
		s.timeout = d
		if d <= 0 {
			s.fail(fmt.Errorf("the time-out %v is not positive", d))
		} else if d > maxInterval {
			s.fail(fmt.Errorf("the time-out %v is more than ten years", d))
		}
	}
}

// Retries is how many times a run that fails is tried again, after waits that
// begin with a second and double up to an hour. Without it none is: the next tick
// follows. A run that waits to be tried again does not count as going on (see
// Overlap), except with Queue, where those after it wait as well.
func Retries(n int) Option {
	return func(s *Schedule) {
		s.retries = n
		if n < 0 || n > math.MaxInt32 {
			s.fail(fmt.Errorf("Retries(%d): it must be 0 or more", n))
		}
	}
}

// Jitter delays each run by a time below d, so that many schedules, or many
// programs, do not begin at the same moment. It depends on the name and the tick
// only. Run.At and Run.ID stay those of the tick. d is at least a millisecond and
// at most the shortest interval of the schedule. Where the next tick comes earlier than
// that, as on a day of 23 hours, the delay ends before it.
func Jitter(d time.Duration) Option {
	return func(s *Schedule) {
		s.jitter = d
		switch {
		case d < time.Millisecond:
			s.fail(fmt.Errorf("Jitter(%v): it is less than a millisecond", d))
		case s.ticks == nil:
			s.fail(errors.New("Jitter: there are no ticks to delay"))
		case d > s.interval:
			s.fail(fmt.Errorf("Jitter(%v): it is longer than the interval %v", d, s.interval))
		}
	}
}
