package scheduler_test

import (
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// TestFlushUnderALiveScheduler: what a Scheduler wrote when it started is written again,
// also of a schedule without ticks, and other programs can run it by hand.
func TestFlushUnderALiveScheduler(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		ctx := t.Context()
		schedules := []scheduler.Schedule{scheduler.New("pulse", "every second", nothing), scheduler.New("never", "never", nothing)}
		s := newScheduler(rdb, schedules...)
		s.SetBeat(20 * time.Millisecond)
		run(t, s.Run)
		redistest.Eventually(t, 15*time.Second, "a tick", func() bool { return len(pushed(t, rdb)) > 0 })
		if err := rdb.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		for what, there := range map[string]func() bool{
			"the names":         func() bool { return rdb.SCard(ctx, "queuerun:{schedules}:names").Val() == 2 },
			"one with ticks":    func() bool { return rdb.HGet(ctx, "queuerun:{schedules}:schedule:pulse", "v").Val() == "1" },
			"one without":       func() bool { return rdb.HGet(ctx, "queuerun:{schedules}:schedule:never", "v").Val() == "1" },
			"asynq's schedules": func() bool { return rdb.ZCard(ctx, "asynq:schedulers").Val() == 1 },
			"their list":        func() bool { return rdb.LLen(ctx, "asynq:schedulers:{schedules}").Val() == 2 },
			"ticks":             func() bool { return len(pushed(t, rdb)) > 0 },
		} {
			redistest.Eventually(t, 15*time.Second, what, there)
		}
		client := jobs.NewClient(rdb)
		client.Handles = []jobs.Handler{scheduler.Handler(schedules)}
		trigger(t, client.Context(ctx), "never")
	})
}
