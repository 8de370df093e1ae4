package scheduler

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// clock tells the time by Redis, so that all schedulers agree on it although the
// clocks of their machines do not.
type clock struct {
	redis time.Time // what Redis said
	local time.Time // when it was asked
	read  func() time.Time
}

// readClock asks Redis. What the clock says is at most the true time of Redis: the
// time that the answer took to arrive is left out.
func (r *rounds) readClock(ctx context.Context) (clock, error) {
	now, err := r.time(ctx)
	if err != nil {
		return clock{}, err
	}
	return clock{redis: now, local: r.localTime(), read: r.localTime}, nil
}

// now returns the time of Redis, or a little less. It is for waiting: a clock of
// the machine that runs fast is ahead of it.
func (c clock) now() time.Time { return c.redis.Add(c.read().Sub(c.local)) }

// localTime is the machine's clock, and another one in tests.
func (s *Scheduler) localTime() time.Time {
	if s.local != nil {
		return s.local()
	}
	return time.Now()
}

// time is what Redis' clock says.
func (s store) time(ctx context.Context) (time.Time, error) {
	parts, err := timeScript.Run(ctx, s.rdb, []string{s.leaderKey()}).StringSlice()
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of Redis: %w", err)
	}
	if len(parts) != 2 {
		return time.Time{}, fmt.Errorf("read the time of Redis: got %q", parts)
	}
	seconds, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of Redis: %w", err)
	}
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of Redis: %w", err)
	}
	return time.Unix(seconds, micros*1000).UTC(), nil
}
