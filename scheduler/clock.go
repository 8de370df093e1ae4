package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
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
func (s *Scheduler) readClock(ctx context.Context) (clock, error) {
	now, err := redisTime(ctx, s.Redis)
	if err != nil {
		return clock{}, err
	}
	return clock{redis: now, local: s.localTime(), read: s.localTime}, nil
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

// redisTime is what Redis' clock says.
func redisTime(ctx context.Context, rdb redis.UniversalClient) (time.Time, error) {
	t, err := rdb.Time(ctx).Result()
	if err != nil {
		return t, fmt.Errorf("read the time of Redis: %w", err)
	}
	return t.UTC(), nil
}
