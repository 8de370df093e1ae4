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
	local time.Time // when it was asked, with the monotonic clock
}

// readClock asks Redis. What the clock says is at most the true time of Redis: the
// time that the answer took to arrive is left out.
func readClock(ctx context.Context, rdb redis.UniversalClient) (clock, error) {
	now, err := rdb.Time(ctx).Result()
	if err != nil {
		return clock{}, fmt.Errorf("read the time of Redis: %w", err)
	}
	return clock{redis: now.UTC(), local: time.Now()}, nil
}

// now returns the time of Redis, or a little less.
func (c clock) now() time.Time { return c.redis.Add(time.Since(c.local)) }
