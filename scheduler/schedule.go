package scheduler

import (
	"context"
	"fmt"
	"time"
)

// Schedule is a function and the times at which it runs. New makes one; cmd.App
// and Scheduler take them.
type Schedule struct {
	name    string
	spec    string
	ticks   ticks
	run     func(context.Context) error
	timeout time.Duration
	err     error
}

// Option changes how a schedule runs.
type Option func(*Schedule)

// Timeout is how long one run may take before its context is cancelled. It must
// be positive; without it a run may take 5 minutes, or one interval of the
// schedule if that is shorter.
func Timeout(d time.Duration) Option {
	return func(s *Schedule) {
		if d <= 0 && s.err == nil {
			s.err = fmt.Errorf("schedule %q: time-out %v is not positive", s.name, d)
		}
		s.timeout = d
	}
}

// New declares a schedule: run is called in a worker at every tick of spec. The
// name identifies the schedule in Redis, in the dashboard and in logs, and no two
// schedules of a program may share it. The package documentation lists the specs.
//
// New never panics. What is wrong with a schedule is told by Err, and stops the
// program that has it at its start.
func New(name, spec string, run func(context.Context) error, opts ...Option) Schedule {
	s := Schedule{name: name, spec: spec, run: run}
	s.err = s.check()
	if s.err == nil {
		s.timeout = s.defaultTimeout()
	}
	for _, opt := range opts {
		opt(&s)
	}
	return s
}

// Name returns the name given to New.
func (s Schedule) Name() string { return s.name }

// Spec returns the spec given to New, unchanged.
func (s Schedule) Spec() string { return s.spec }

// Err returns what is wrong with the schedule, naming it and its spec, or nil.
func (s Schedule) Err() error { return s.err }
