package scheduler

import "fmt"

// Policy says what to do with ticks that were missed, for CatchUp, or that come
// while a run is going on, for Overlap. Skip is for both.
type Policy int

const (
	// Skip leaves them out: with CatchUp, ticks that could not be pushed within 10
	// seconds; with Overlap, ticks that come while an earlier run is going on.
	Skip Policy = -1 - iota
	// Latest is for CatchUp: of the ticks that were missed the last one is run,
	// however long ago it was.
	Latest
	// Allow is for Overlap: runs go on side by side.
	Allow
	// Queue is for Overlap: each run begins when the one before has ended, in the
	// order of their ticks.
	Queue

	// latestWithinInterval is the default of CatchUp.
	latestWithinInterval
)

// maxAll bounds All: that many jobs are pushed in one go.
const maxAll = 1000

// All is for CatchUp: the ticks that were missed are all run, one after another in
// order unless Overlap is Allow; but of more than max only the last max. max is 1 to
// 1000.
func All(max int) Policy {
	if max < 1 {
		return 0
	}
	return Policy(max)
}

// String returns the policy as it is written in Go.
func (p Policy) String() string {
	switch p {
	case Skip:
		return "Skip"
	case Latest:
		return "Latest"
	case Allow:
		return "Allow"
	case Queue:
		return "Queue"
	case latestWithinInterval:
		return "Latest within one interval"
	default:
		return fmt.Sprintf("All(%d)", int(p))
	}
}

// CatchUp says what is run of the ticks that were missed, because no scheduler was
// there or Redis was away: Skip, Latest or All(max). Without it the last one is, if
// that was less than an interval of the schedule ago.
func CatchUp(p Policy) Option {
	return func(s *Schedule) {
		s.catchUp = p
		switch {
		case p == Allow || p == Queue || p < latestWithinInterval:
			s.fail(fmt.Errorf("CatchUp(%v): want Skip, Latest or All(max)", p))
		case p == 0 || p > maxAll:
			s.fail(fmt.Errorf("CatchUp(%v): All takes 1 to %d", p, maxAll))
		}
	}
}

// Overlap says what becomes of a tick that comes while an earlier run of the
// schedule is going on: Skip, which is so without it, Allow or Queue. A run that is
// skipped ends at once and says so in its result.
func Overlap(p Policy) Option {
	return func(s *Schedule) {
		s.overlap = p
		if p != Skip && p != Allow && p != Queue {
			s.fail(fmt.Errorf("Overlap(%v): want Skip, Allow or Queue", p))
		}
	}
}
