package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	// maxTimeout is the default time-out of a run, unless the interval is shorter.
	maxTimeout = 5 * time.Minute

	maxName = 128
)

// Schedule is a function and the times at which it runs. New makes one; cmd.App
// and Scheduler take them.
type Schedule struct {
	name     string
	spec     string
	ticks    ticks         // nil: never
	interval time.Duration // the shortest between two ticks; 0 without ticks
	run      func(context.Context) error
	timeout  time.Duration
	retries  int
	jitter   time.Duration
	catchUp  Policy
	overlap  Policy
	err      error
}

// New declares a schedule: run is called in a worker at every tick of spec. The
// name identifies the schedule in Redis, in the dashboard and in logs; no two
// schedules of a program may share it. The package documentation lists the specs.
//
// New never panics. What is wrong with a schedule is told by Err, and keeps the
// program that has it from starting.
func New(name, spec string, run func(context.Context) error, opts ...Option) Schedule {
	s := Schedule{name: name, spec: spec, run: run, timeout: maxTimeout, catchUp: latestWithinInterval, overlap: Skip}
	switch parsed, err := parse(spec); {
	case checkName(name) != nil:
		s.fail(checkName(name))
	case err != nil:
		s.fail(err)
	case run == nil:
		s.fail(errors.New("its function is nil"))
	case parsed != nil:
		s.ticks, s.interval = parsed, shortestInterval(parsed)
		s.timeout = min(maxTimeout, s.interval)
	}
	s.apply(opts)
	return s
}

func (s *Schedule) apply(opts []Option) {
	for _, opt := range opts {
		if opt == nil {
			s.fail(errors.New("an option is nil"))
			continue
		}
		opt(s)
	}
}

// Name returns the name given to New.
func (s Schedule) Name() string { return s.name }

// Spec returns the spec given to New, unchanged.
func (s Schedule) Spec() string { return s.spec }

// Err returns what is wrong with the schedule, naming it and its spec, or nil.
func (s Schedule) Err() error {
	if s.err == nil && s.run == nil {
		return errors.New("a Schedule that New did not make")
	}
	return s.err
}

// Check returns the first thing that is wrong with a program's schedules, each by
// itself or two of them having one name, or nil.
func Check(schedules []Schedule) error {
	names := make(map[string]bool, len(schedules))
	for _, s := range schedules {
		if err := s.Err(); err != nil {
			return err
		}
		if names[s.name] {
			return fmt.Errorf("two schedules are named %q", s.name)
		}
		names[s.name] = true
	}
	return nil
}

// fail notes the first thing that is wrong.
func (s *Schedule) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("schedule %q, spec %q: %w", s.name, s.spec, err)
	}
}

func checkName(name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) {
		return fmt.Errorf("a name has 1 to %d bytes of UTF-8", maxName)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return errors.New("a name has no control characters")
		}
	}
	return nil
}

// shortestInterval returns the shortest time between two ticks that follow one
// another: of the first 61, and of all on the first day. It is what people take for the
// interval, and no lower bound: where the clocks change a day has 23 hours.
func shortestInterval(t ticks) time.Duration {
	shortest := maxInterval
	last := t.next(reference)
	end := last.Add(24 * time.Hour)
	for n := 0; shortest > time.Second && (n < 61 || last.Before(end)); n++ {
		tick := t.next(last)
		if tick.IsZero() {
			break
		}
		shortest = min(shortest, tick.Sub(last))
		last = tick
	}
	return shortest
}
