package scheduler

import "time"

// SetClock gives a Scheduler the clock of another machine.
func (s *Scheduler) SetClock(now func() time.Time) { s.local = now }
