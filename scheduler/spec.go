package scheduler

import "time"

type ticks interface{ Next(time.Time) time.Time }

func (s Schedule) check() error                  { return nil }
func (s Schedule) defaultTimeout() time.Duration { return 5 * time.Minute }
