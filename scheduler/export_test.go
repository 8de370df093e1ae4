package scheduler

import "time"

// SetClock gives a Scheduler the clock of another machine.
func (s *Scheduler) SetClock(now func() time.Time) { s.local = now }

// SetBeat makes a Scheduler say more often that it is there.
func (s *Scheduler) SetBeat(d time.Duration) { s.every = d }
