package redistest

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestClockSteps: a Redis with a clock is as far ahead as the test has set it, keeps
// going, and lets keys live and expire by its own time.
func TestClockSteps(t *testing.T) {
	EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *Clock) {
		ctx := t.Context()
		read := func() time.Time {
			now, err := rdb.Time(ctx).Result()
			if err != nil {
				t.Fatal(err)
			}
			return now
		}
		for _, step := range []struct{ by, want time.Duration }{
			{0, 0}, {time.Hour, time.Hour}, {-2 * time.Hour, -time.Hour}, {time.Hour + 1500*time.Millisecond, 1500 * time.Millisecond},
		} {
			clock.Step(step.by)
			before := time.Now()
			if got := read().Sub(before); got < step.want-5*time.Millisecond || got > step.want+10*time.Second {
				t.Errorf("after a step of %v the clock is ahead by %v, want %v", step.by, got, step.want)
			}
		}
		now := read()
		Eventually(t, 10*time.Second, "the clock to go on", func() bool { return read().After(now) })
		if err := rdb.Set(ctx, "lease", "x", time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		clock.Step(30 * time.Second)
		if n := rdb.Exists(ctx, "lease").Val(); n != 1 {
			t.Error("the lease of a minute has expired after half of one")
		}
		clock.Step(time.Hour)
		if n := rdb.Exists(ctx, "lease").Val(); n != 0 {
			t.Error("the lease of a minute has not expired after an hour")
		}
	})
}
