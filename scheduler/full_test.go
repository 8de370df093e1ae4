package scheduler_test

import (
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
)

// TestFullRedis: on a Redis that has reached its maxmemory the schedules stay declared
// and on the page, can be paused, and one Scheduler can take over from another; only
// ticks are refused, which the log says once, and caught up with later.
func TestFullRedis(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	ctx := t.Context()
	schedule := scheduler.New("pulse", "every second", nothing, scheduler.CatchUp(scheduler.Latest))
	paused := scheduler.New("paused", "never", nothing)
	context := declare(t, rdb, schedule, paused)
	var log lines
	start := func() (stop func()) {
		s := newScheduler(rdb, schedule, paused)
		s.Logger = log.logger()
		s.SetBeat(20 * time.Millisecond)
		return run(t, s.Run)
	}
	stop := start()
	redistest.Eventually(t, 15*time.Second, "a tick", func() bool { return len(pushed(t, rdb)) > 0 })
	if err := rdb.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, 15*time.Second, "the log to say it", func() bool { return log.count("Redis is full") > 0 })
	declared := func() string { return rdb.HGet(ctx, "queuerun:{schedules}:schedule:pulse", "declared").Val() }
	renewed := func() {
		t.Helper()
		before := declared()
		redistest.Eventually(t, 15*time.Second, "it to be declared again", func() bool { return declared() != before })
	}
	renewed()
	stop() // and another one takes over
	if n := rdb.Exists(ctx, "queuerun:{schedules}:leader").Val(); n != 0 {
		t.Error("the leader has not left")
	}
	rdb.Del(ctx, "asynq:schedulers:{schedules}", "asynq:schedulers")
	start()
	redistest.Eventually(t, 15*time.Second, "the page", func() bool {
		return rdb.LLen(ctx, "asynq:schedulers:{schedules}").Val() == 2 && rdb.ZCard(ctx, "asynq:schedulers").Val() == 1
	})
	if err := scheduler.Pause(context, "paused"); err != nil {
		t.Error(err)
	}
	if err := scheduler.Resume(context, "paused"); err != nil {
		t.Error(err)
	}
	for range 20 { // Rounds that fail are not told again.
		renewed()
	}
	if n := log.count("\n"); n > 6 {
		t.Errorf("the log has %d lines:\n%s", n, log.text.String())
	}
	if err := rdb.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	before := len(pushed(t, rdb))
	redistest.Eventually(t, 15*time.Second, "ticks again", func() bool { return len(pushed(t, rdb)) > before })
	redistest.Eventually(t, 15*time.Second, "the log", func() bool { return log.count("works again") == 1 })
}
