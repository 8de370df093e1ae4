package jobs

import (
	"fmt"
	"time"
)

// farthest is how far ahead anything of a job may be: further than anybody
// plans, and before the year 2200, where parked jobs are.
const farthest = 36500 * 24 * time.Hour

// checkAhead refuses a time that is too long for what is asked.
func checkAhead(what string, d time.Duration) error {
	if d > farthest {
		return fmt.Errorf("%s(%v): it is longer than 36,500 days", what, d)
	}
	return nil
}

// ceilMillis is a time in whole milliseconds, never shorter.
func ceilMillis(d time.Duration) int64 {
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}
