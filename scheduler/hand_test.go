package scheduler_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

func TestTrigger(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		got := make(chan scheduler.Run, 10)
		schedules := []scheduler.Schedule{
			scheduler.New("by hand", "never", func(ctx context.Context) error {
				tick, _ := scheduler.FromContext(ctx)
				got <- tick
				return nil
			}),
			// A handler's context will do as well.
			scheduler.New("other", "never", func(ctx context.Context) error {
				_, err := scheduler.Trigger(ctx, "by hand")
				return err
			}),
		}
		ctx := declare(t, rdb, schedules...)
		run(t, newWorker(rdb, schedules...).Run)
		before := rdb.Time(ctx).Val()
		id := trigger(t, ctx, "by hand")
		tick := <-got
		if tick.ID != id || tick.Name != "by hand" || tick.Cron != "never" || tick.At.Before(before.Truncate(time.Second)) || tick.At.After(rdb.Time(ctx).Val()) {
			t.Errorf("got %+v, want id %s and a time since %v", tick, id, before)
		}
		last(t, ctx, "by hand", id)
		trigger(t, ctx, "other")
		if tick := <-got; tick.ID == id || tick.Name != "by hand" {
			t.Errorf("got %+v", tick)
		}
	})
}

func TestUnknownNamesAndContexts(t *testing.T) {
	rdb := redistest.Embedded(t)
	ctx := declare(t, rdb, scheduler.New("known", "never", nothing))
	calls := map[string]func(ctx context.Context, name string) error{
		"run schedule":    func(ctx context.Context, name string) error { _, err := scheduler.Trigger(ctx, name); return err },
		"pause schedule":  scheduler.Pause,
		"resume schedule": scheduler.Resume,
	}
	for what, call := range calls {
		err := call(ctx, "unknown")
		if !errors.Is(err, scheduler.ErrUnknown) || !strings.Contains(err.Error(), what+` "unknown"`) {
			t.Errorf("%s: got %v", what, err)
		}
		if err := call(t.Context(), "known"); !errors.Is(err, jobs.ErrNoClient) {
			t.Errorf("%s without a client: got %v", what, err)
		}
		if err := call(ctx, "known"); err != nil {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, err := scheduler.List(t.Context()); !errors.Is(err, jobs.ErrNoClient) {
		t.Errorf("List without a client: got %v", err)
	}
}

func TestPausedScheduleDoesNotTickAndDoesNotCatchUp(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	redis := simulate(t, start)
	schedules := []scheduler.Schedule{
		scheduler.New("paused", "* * * * *", nothing, scheduler.CatchUp(scheduler.All(100))),
		scheduler.New("other", "* * * * *", nothing, scheduler.CatchUp(scheduler.All(100))),
	}
	rounds(t, redis.rdb, schedules...)
	ctx := jobs.NewClient(redis.rdb).Context(t.Context())
	paused := func() time.Time {
		t.Helper()
		list, err := scheduler.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return list[slices.IndexFunc(list, func(s scheduler.Status) bool { return s.Name == "paused" })].Paused
	}
	call := func(f func(context.Context, string) error) {
		t.Helper()
		if err := f(ctx, "paused"); err != nil {
			t.Fatal(err)
		}
	}
	call(scheduler.Pause)
	if got := paused(); !got.Equal(start) {
		t.Errorf("paused since %v, want %v", got, start)
	}
	redis.SetTime(start.Add(time.Minute))
	rounds(t, redis.rdb, schedules...) // also over a restart
	call(scheduler.Pause)              // again
	if got := paused(); !got.Equal(start) {
		t.Errorf("paused since %v, want %v", got, start)
	}
	redis.SetTime(start.Add(2 * time.Minute))
	call(scheduler.Resume)
	call(scheduler.Resume)
	if got := paused(); !got.IsZero() {
		t.Errorf("paused since %v after Resume", got)
	}
	rounds(t, redis.rdb, schedules...)
	redis.SetTime(start.Add(3 * time.Minute))
	rounds(t, redis.rdb, schedules...)
	want := []string{"other 10:01:00", "other 10:02:00", "other 10:03:00", "paused 10:03:00"}
	if got := without(pushed(t, redis.rdb), "~"); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRetries(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		attempts := make(chan int, 10)
		schedule := scheduler.New("report", "never", func(ctx context.Context) error {
			job, _ := jobs.FromContext(ctx)
			attempts <- job.Attempt
			if job.Attempt < 2 {
				panic("no coffee")
			}
			return nil
		}, scheduler.Retries(1))
		ctx := declare(t, rdb, schedule)
		run(t, newWorker(rdb, schedule).Run)
		id := trigger(t, ctx, "report")
		if ended := last(t, ctx, "report", id); ended.Result != scheduler.Failed {
			t.Errorf("the first attempt: %+v", ended)
		}
		eventually(t, "the second attempt to have ended", func() bool {
			return last(t, ctx, "report", id).Result == scheduler.Succeeded
		})
		if first, second := <-attempts, <-attempts; first != 1 || second != 2 {
			t.Errorf("attempts %d and %d", first, second)
		}
	})
}

func TestProgramsWithDifferentPrefixes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		schedule := scheduler.New("report", "never", nothing)
		client := jobs.NewClient(rdb)
		client.Prefix, client.Handles = "other", []jobs.Handler{scheduler.Handler([]scheduler.Schedule{schedule})}
		theirs := client.Context(t.Context())
		if _, err := schedule.Trigger(theirs); err != nil { // Nobody has declared it yet.
			t.Error(err)
		}
		ours := declare(t, rdb, schedule)
		if err := scheduler.Pause(theirs, "report"); !errors.Is(err, scheduler.ErrUnknown) {
			t.Errorf("got %v", err)
		}
		trigger(t, ours, "report")
		for queue, want := range map[string]int64{"schedules": 1, "other:schedules": 1} {
			if got := rdb.LLen(t.Context(), "asynq:{"+queue+"}:pending").Val(); got != want {
				t.Errorf("queue %s has %d jobs, want %d", queue, got, want)
			}
		}
	})
}
