package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A clock that was put forward makes all leases seem to be over. Nobody died, so
// nothing is recovered.
func TestNobodyIsTakenForDeadWhenTheClockIsPutForward(t *testing.T) {
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		t.Parallel()
		queue := jobs.NewQueue[int]("q")
		release := make(chan struct{})
		var starts journal[int]
		var causes journal[error]
		var log buffer
		handler := queue.Handle(func(ctx context.Context, n int) error {
			starts.add(n)
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				causes.add(context.Cause(ctx))
				return ctx.Err()
			}
		}, jobs.Concurrency(2))
		ctx := clientContext(rdb, handler)
		// The beats of three workers come at different times, so that one of them is
		// always the first to see the step.
		for range 3 {
			runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		}
		for n := range 6 {
			must(t)(queue.Push(ctx, n))
		}
		starts.waitFor(t, 6, "all slots to be taken")
		t.Cleanup(func() { close(release) })
		redistest.Eventually(t, soon, "all to have renewed their leases", func() bool { return rdb.ZCard(ctx, liveKey).Val() == 3 })
		renewals := func() (n int) {
			for _, line := range rdb.ZRangeWithScores(ctx, liveKey, 0, -1).Val() {
				if now, err := rdb.Time(ctx).Result(); err == nil && int64(line.Score) > now.Add(7*time.Second).UnixMilli() {
					n++
				}
			}
			return n
		}
		redistest.Eventually(t, soon, "fresh leases", func() bool { return renewals() == 3 })
		for _, ahead := range []time.Duration{time.Minute, time.Hour} {
			clock.Step(ahead)
			redistest.Eventually(t, soon, "all to notice", func() bool { return len(log.with("put forward")) >= 3 })
			redistest.Eventually(t, soon, "the leases to be renewed", func() bool { return renewals() == 3 })
			log.reset()
		}
		if got := causes.all(); len(got) != 0 {
			t.Errorf("handlers were cancelled: %v", got)
		}
		if got := starts.all(); len(got) != 6 {
			t.Errorf("%d starts of 6 jobs", len(got))
		}
		if keys := rdb.Keys(ctx, "asynq:{q}:gone:*").Val(); len(keys) > 0 {
			t.Errorf("workers were taken for dead: %v", keys)
		}
	})
}

// What a killed worker had is recovered in time although its lease ends, by a
// clock that was put back, half a minute later than it would have.
func TestRecoveryIsInTimeWhenTheClockIsPutBack(t *testing.T) {
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		t.Parallel()
		clock.Step(time.Hour)
		victim := startWorkerProcess(t, rdb, "victim", 0)
		startWorkerProcess(t, rdb, "heir", 0)
		all := pushHeld(t, rdb, 1)
		killed := victim.kill()
		clock.Step(-30 * time.Second)
		redistest.Eventually(t, 2*takeOver, "the jobs to run elsewhere", func() bool {
			for _, h := range all {
				runs := with("start", notes(t, rdb, h.line))
				if runs[len(runs)-1].Worker != "heir" {
					return false
				}
			}
			return true
		})
		if took := time.Since(killed); took > takeOver {
			t.Errorf("that took %v, want at most %v", took, takeOver)
		}
		release(t, rdb, "heir")
	})
}

// Jobs that were started while the clock was ahead do not keep others from being
// started for as long as it was.
func TestRateGoesOnWhenTheClockIsPutBack(t *testing.T) {
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		t.Parallel()
		queue := jobs.NewQueue[int]("q")
		var starts journal[time.Time]
		handler := queue.Handle(func(context.Context, int) error {
			starts.add(time.Now())
			return nil
		}, jobs.Rate(5, time.Second))
		ctx := clientContext(rdb, handler)
		clock.Step(time.Hour)
		startWorker(t, rdb, handler)
		for n := range 20 {
			must(t)(queue.Push(ctx, n))
		}
		starts.waitFor(t, 5, "the first to start")
		clock.Step(-time.Hour)
		all := starts.waitFor(t, 20, "all to start")
		if took := all[19].Sub(all[0]); took > 10*time.Second {
			t.Errorf("20 jobs at 5 a second took %v", took)
		}
		for i := 5; i < 20; i++ {
			// The moment at which a handler notes its start may be later than the start.
			if apart := all[i].Sub(all[i-5]); apart < 900*time.Millisecond {
				t.Errorf("starts %d and %d are %v apart, want at least a second", i-5, i, apart)
			}
		}
	})
}

// Jobs that were delayed for some time while the clock was ahead wait for that
// time, and those that were delayed until a time wait until then.
func TestWaitsAreShortenedWhenTheClockIsPutBack(t *testing.T) {
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		t.Parallel()
		queue := jobs.NewQueue[string]("q")
		var runs journal[string]
		var log buffer
		handler := queue.Handle(func(ctx context.Context, what string) error {
			job, _ := jobs.FromContext(ctx)
			if what == "fails" && job.Attempt == 1 {
				return errors.New("the first time it fails")
			}
			runs.add(what)
			return nil
		}, jobs.Backoff(func(int) time.Duration { return 3 * time.Second }))
		ctx := clientContext(rdb, handler)
		runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		redistest.Eventually(t, soon, "the worker to know the time", func() bool { return rdb.ZCard(ctx, liveKey).Val() == 1 })
		clock.Step(time.Hour)
		redistest.Eventually(t, soon, "the step to be noticed", func() bool { return len(log.with("put forward")) > 0 })
		long := must(t)(queue.Push(ctx, "in two hours", jobs.In(2*time.Hour)))
		until := must(t)(queue.Push(ctx, "until", jobs.At(time.Now().Add(90*time.Minute))))
		for range 300 { // more than are looked at in one step
			must(t)(queue.Push(ctx, "later", jobs.In(4*time.Second)))
		}
		failed := must(t)(queue.Push(ctx, "fails"))
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, soon, "the retry to be delayed", func() bool {
			info, err := client.Get(ctx, "q", failed)
			return err == nil && info.State == jobs.Retrying
		})
		clock.Step(-time.Hour)
		runs.waitFor(t, 301, "the delayed jobs to run")
		for id, in := range map[string]time.Duration{long: 2 * time.Hour, until: 90 * time.Minute} {
			info, err := client.Get(ctx, "q", id)
			if err != nil || (time.Until(info.Due)-in).Abs() > time.Minute {
				t.Errorf("a job that is due in about %v is due in %v (%v)", in, time.Until(info.Due), err)
			}
		}
	})
}

// A delay is never too short, by not even a part of a millisecond.
func TestInIsNeverEarly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		ctx := clientContext(rdb, queue.Handle(ignore[int]))
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			before, err := rdb.Time(ctx).Result()
			if err != nil {
				t.Fatal(err)
			}
			info, err := client.Get(ctx, "q", must(t)(queue.Push(ctx, n, jobs.In(time.Minute))))
			if err != nil {
				t.Fatal(err)
			}
			if waits := info.Due.Sub(before); waits < time.Minute {
				t.Fatalf("In(1m) is due after %v", waits)
			}
		}
	})
}
