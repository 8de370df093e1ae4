package scheduler_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

func TestChangedSpecHasNoTicksInThePast(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	redis := simulate(t, start)
	all := scheduler.CatchUp(scheduler.All(100))
	rounds(t, redis.rdb, scheduler.New("report", "hourly", nothing, all))
	redis.SetTime(start.Add(10 * time.Minute))
	minutely := scheduler.New("report", "* * * * *", nothing, all)
	rounds(t, redis.rdb, minutely)
	redis.SetTime(start.Add(12 * time.Minute))
	rounds(t, redis.rdb, minutely)
	want := []string{"report 10:11:00", "report 10:12:00"}
	if got := without(pushed(t, redis.rdb), "~"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// During a deploy an older and a newer program run side by side.
func TestTwoProgramsWithDifferentSpecs(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	redis := simulate(t, start)
	older := newScheduler(redis.rdb, scheduler.New("report", "*/2 * * * *", nothing))
	newer := newScheduler(redis.rdb, scheduler.New("report", "*/3 * * * *", nothing))
	older.SetBeat(5 * time.Millisecond) // it looks at the clock
	newer.SetBeat(5 * time.Millisecond)
	stop := run(t, older.Run)
	ticks := func(n int) {
		t.Helper()
		redistest.Eventually(t, 15*time.Second, "ticks", func() bool { return len(pushed(t, redis.rdb)) >= n })
	}
	redistest.Eventually(t, 15*time.Second, "the older one", func() bool { return redis.rdb.Exists(t.Context(), "asynq:schedulers:{schedules}").Val() == 1 })
	redis.SetTime(start.Add(2 * time.Minute)) // 10:02:30
	ticks(1)
	run(t, newer.Run)
	redistest.Eventually(t, 15*time.Second, "the newer one", func() bool {
		return redis.rdb.HGet(t.Context(), "queuerun:{schedules}:schedule:report", "spec").Val() == "*/3 * * * *"
	})
	for i, minute := range []int{3, 4, 6, 8} {
		redis.SetTime(start.Add(time.Duration(minute) * time.Minute))
		ticks(i + 2)
	}
	stop()
	redis.SetTime(start.Add(9 * time.Minute))
	ticks(6)
	want := []string{"report 10:02:00", "report 10:03:00", "report 10:04:00", "report 10:06:00", "report 10:08:00", "report 10:09:00"}
	if got := pushed(t, redis.rdb); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTickOfANewerProgramWaitsForAWorkerThatKnowsIt(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		known, added := scheduler.New("known", "never", nothing), scheduler.New("added", "never", nothing)
		ctx := declare(t, rdb, known, added)
		stop := run(t, newWorker(rdb, known).Run)
		id := trigger(t, ctx, "added")
		eventually(t, "the older worker to give it back", func() bool {
			task, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo(scheduler.QueueName, id)
			return err == nil && task.State == asynq.TaskStateRetry
		})
		stop()
		run(t, newWorker(rdb, known, added).Run)
		if ended := last(t, ctx, "added", id); ended.Result != scheduler.Succeeded {
			t.Errorf("got %+v", ended)
		}
	})
}

// What nobody declares any more is off the page within seconds, and forgotten
// after an hour.
func TestRemovedScheduleIsForgotten(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	mini := miniredis.RunT(t)
	mini.SetTime(start)
	rdb := redistest.Client(t, mini.Addr())
	kept, removed := scheduler.New("kept", "* * * * *", nothing), scheduler.New("removed", "* * * * *", nothing)
	ctx := declare(t, rdb, kept, removed)
	mini.SetTime(start.Add(30 * time.Second))
	s := newScheduler(rdb, kept)
	s.SetBeat(5 * time.Millisecond)
	var waited atomic.Int64 // minutes
	s.SetClock(func() time.Time { return start.Add(time.Duration(waited.Load()) * time.Minute) })
	run(t, s.Run)
	names := func() (names []string) {
		list, err := scheduler.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, status := range list {
			names = append(names, status.Name)
		}
		return names
	}
	page := func() (names []string) {
		entries, err := asynq.NewInspectorFromRedisClient(rdb).SchedulerEntries()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.ID)
		}
		return names
	}
	eventually(t, "the page to show the other one", func() bool { return slices.Equal(page(), []string{"kept"}) })
	if got := names(); !slices.Equal(got, []string{"kept", "removed"}) {
		t.Errorf("after half a minute: %v", got)
	}
	for minute := range 61 { // It is seen to be absent all the time.
		mini.SetTime(start.Add(time.Duration(minute+1) * time.Minute))
		waited.Add(1)
		at := mini.HGet("queuerun:{schedules}:schedule:kept", "declared")
		eventually(t, "a beat", func() bool { return mini.HGet("queuerun:{schedules}:schedule:kept", "declared") != at })
	}
	eventually(t, "the removed one to be forgotten", func() bool { return slices.Equal(names(), []string{"kept"}) })
	for _, key := range mini.Keys() {
		if key == "queuerun:{schedules}:schedule:removed" || key == "asynq:scheduler_history:removed" {
			t.Errorf("%s is left", key)
		}
	}
	if got := mini.HGet("asynq:{schedules}:lines", "removed"); got != "" {
		t.Errorf("its cursor is left: %s", got)
	}
}
