package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

// rounds is the state of a running Scheduler: which tick of each schedule comes next.
type rounds struct {
	*Scheduler
	queue *jobs.Queue[tick]
	next  []time.Time // by index of Schedules; zero: none
}

// round pushes the ticks that are due and returns the time until the next one. A
// tick that could not be pushed stays due, and is tried until the one after it takes
// its place.
func (r *rounds) round(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	clock, err := readClock(ctx, r.Redis)
	if err != nil {
		return 0, err
	}
	if r.next == nil {
		r.start(clock.now())
	}
	// A later reading of this clock could be ahead of Redis' own if the machine's
	// clock runs fast, so what is due was due when Redis answered.
	now := clock.redis
	var errs []error
	for i, s := range r.Schedules {
		if r.next[i].IsZero() || r.next[i].After(now) {
			continue
		}
		due, next := newest(s.ticks, r.next[i], now)
		if err := r.push(ctx, s, due, now); err != nil {
			errs = append(errs, err)
			r.next[i] = due
			continue
		}
		r.next[i] = next
	}
	return r.untilNext(clock), errors.Join(errs...)
}

func (r *rounds) start(now time.Time) {
	r.next = make([]time.Time, len(r.Schedules))
	for i, s := range r.Schedules {
		if s.ticks != nil {
			r.next[i] = s.ticks.next(now)
		}
	}
}

// newest returns the last tick from first on that is not after now, and the one
// that follows it.
func newest(t ticks, first, now time.Time) (due, next time.Time) {
	due, next = first, t.next(first)
	// A fixed interval can be skipped over at once; walking takes too long if the
	// process was suspended for days.
	if e, ok := t.(everyTicks); ok && !next.After(now) {
		next = e.next(now)
		return next.Add(-time.Duration(e)), next
	}
	for !next.IsZero() && !next.After(now) {
		due, next = next, t.next(next)
	}
	return due, next
}

// push makes the tick a job. Another scheduler may have done so before.
func (r *rounds) push(ctx context.Context, s Schedule, due, now time.Time) error {
	// Redis may have forgotten by now that another scheduler pushed it.
	if late := now.Sub(due); late >= remembered-time.Minute {
		r.logger().Warn("scheduler: tick is too late to be run", "schedule", s.name, "at", due, "late", late)
		return nil
	}
	t := tick{Name: s.name, Cron: s.spec, Unix: due.Unix()}
	_, err := r.queue.Push(ctx, t, jobs.ID(t.id()), jobs.Retain(remembered))
	if err != nil && !errors.Is(err, jobs.ErrDuplicate) {
		return fmt.Errorf("push tick %v of schedule %q: %w", due, s.name, err)
	}
	return nil
}

// untilNext returns the time until the earliest tick.
func (r *rounds) untilNext(c clock) time.Duration {
	wait := maxSleep
	now := c.now()
	for _, next := range r.next {
		if !next.IsZero() {
			wait = min(wait, next.Sub(now))
		}
	}
	// Redis' clock is read in microseconds; a timer that ends within the same one as
	// the tick must not make the next round find nothing due, again and again.
	return max(wait, time.Millisecond)
}
