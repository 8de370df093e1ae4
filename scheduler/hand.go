package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// ErrUnknown says that there is no schedule with the name: no scheduler process
// that is running, or did within the last hour, has declared it.
var ErrUnknown = errors.New("no such schedule")

// Trigger runs a schedule now, by hand: it makes a job as a tick does, and
// returns its id. Run.At is the moment of the call, by Redis' clock, in whole
// seconds. Overlap holds for it as for ticks; that the schedule is paused does not.
//
// ctx carries the jobs client, as the contexts of handlers and of
// jobs.Client.Context do. An unknown name is ErrUnknown.
func Trigger(ctx context.Context, name string) (id string, err error) {
	s, err := storeFrom(ctx)
	if err == nil {
		id, err = s.trigger(ctx, name)
	}
	if err != nil {
		return "", fmt.Errorf("run schedule %q by hand: %w", name, err)
	}
	return id, nil
}

func (s store) trigger(ctx context.Context, name string) (string, error) {
	records, err := s.read(ctx, []string{name})
	if err != nil {
		return "", err
	}
	r := records[0]
	if !r.known {
		return "", ErrUnknown
	}
	return s.pushByHand(ctx, name, r.spec, r.overlap == Queue.String())
}

func (s store) pushByHand(ctx context.Context, name, spec string, serial bool) (string, error) {
	now, err := s.time(ctx)
	if err != nil {
		return "", err
	}
	t := tick{Name: name, Cron: spec, Unix: now.Unix(), Hand: rand.Text()[:12]}
	return newQueue().Push(ctx, t, t.options(serial, 0)...)
}

// Trigger is the function Trigger for who has the declaration of the schedule: it
// works also before any scheduler process was there.
func (s Schedule) Trigger(ctx context.Context) (id string, err error) {
	if err := s.Err(); err != nil {
		return "", err
	}
	store, err := storeFrom(ctx)
	if err == nil {
		id, err = store.pushByHand(ctx, s.name, s.spec, s.overlap == Queue)
	}
	if err != nil {
		return "", fmt.Errorf("run schedule %q by hand: %w", s.name, err)
	}
	return id, nil
}

// Pause keeps a schedule from being run at its ticks until Resume, in all
// processes and over restarts. What is running or waits in the queue is not
// touched. Pausing again changes nothing. Errors are as for Trigger.
func Pause(ctx context.Context, name string) error { return setPaused(ctx, name, "pause") }

// Resume undoes Pause. The ticks that came meanwhile are not caught up with,
// whatever CatchUp says: somebody wanted them not to be run. Errors are as for
// Trigger.
func Resume(ctx context.Context, name string) error { return setPaused(ctx, name, "resume") }

func setPaused(ctx context.Context, name, what string) error {
	s, err := storeFrom(ctx)
	if err != nil {
		return fmt.Errorf("%s schedule %q: %w", what, name, err)
	}
	known, err := pauseScript.Run(ctx, s.rdb, []string{s.scheduleKey(name)}, what).Int()
	if err == nil && known == 0 {
		err = ErrUnknown
	}
	if err != nil {
		return fmt.Errorf("%s schedule %q: %w", what, name, err)
	}
	return nil
}
