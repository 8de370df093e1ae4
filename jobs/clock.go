package jobs

import "time"

// clockTolerance is how far the clock of Redis may be from where it should be
// before it counts as put forward or back.
const clockTolerance = time.Second

// redisClock compares the clock of Redis, by which leases end and jobs are due,
// with this process' own that runs evenly. So a clock that was put forward can
// be told from a time in which nobody was heard of.
type redisClock struct {
	shown           int64 // what it showed last, in Unix ms; 0 before the first time
	asked, answered time.Time
}

// bounds returns what the clock should show, at least and at most, to a question
// that is asked at a time: in Unix ms, or 0 when nothing is known yet.
func (c *redisClock) bounds(asking time.Time) (least, most int64) {
	if c.shown == 0 {
		return 0, 0
	}
	least = c.shown + (asking.Sub(c.answered) - clockTolerance).Milliseconds()
	most = c.shown + (asking.Sub(c.asked) + clockTolerance).Milliseconds()
	return least, most
}

// read takes what the clock showed between two times, and returns how far it was
// put forward, or back if that is negative; 0 when it runs as it should.
func (c *redisClock) read(shown int64, asked, answered time.Time) (step time.Duration) {
	least, _ := c.bounds(asked)
	_, most := c.bounds(answered)
	known := c.shown != 0
	c.shown, c.asked, c.answered = shown, asked, answered
	switch {
	case known && shown < least:
		return time.Duration(shown-least)*time.Millisecond - clockTolerance
	case known && shown > most:
		return time.Duration(shown-most)*time.Millisecond + clockTolerance
	default:
		return 0
	}
}
