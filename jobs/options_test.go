package jobs_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestUniqueReturnsTheFirstJobAlsoWhenItIsDone(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("mail")
		handler := queue.Handle(ignore[string])
		ctx := clientContext(rdb, handler)
		first := must(t)(queue.Push(ctx, "a", jobs.Unique(time.Minute)))
		if id := must(t)(queue.Push(ctx, "a", jobs.Unique(time.Minute))); id != first {
			t.Errorf("the second push returned %q, want %q", id, first)
		}
		for name, id := range map[string]string{
			"another payload": must(t)(queue.Push(ctx, "b", jobs.Unique(time.Minute))),
			"without Unique":  must(t)(queue.Push(ctx, "a")),
		} {
			if id == first {
				t.Errorf("%s: taken for a repeat", name)
			}
		}
		startWorker(t, rdb, handler)
		waitUntilGone(t, rdb, "mail", first)
		if id := must(t)(queue.Push(ctx, "a", jobs.Unique(time.Minute))); id != first {
			t.Errorf("after the job was done the push returned %q, want %q", id, first)
		}
		ids, err := queue.PushMany(ctx, []string{"c", "a", "c"}, jobs.Unique(time.Minute))
		if err != nil || len(ids) != 3 || ids[1] != first || ids[0] != ids[2] || ids[0] == first {
			t.Errorf("PushMany returned %q, %v", ids, err)
		}
	})
}

func TestUniqueEndsAfterItsTime(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for _, name := range []string{"mail", "line.fifo"} {
			queue := jobs.NewQueue[string](name)
			ctx := clientContext(rdb, queue.Handle(ignore[string]))
			push := func() string { return must(t)(queue.Push(ctx, "a", jobs.Unique(50*time.Millisecond))) }
			if name == "line.fifo" {
				push = func() string { return must(t)(queue.Group("g").Push(ctx, "a", jobs.Unique(50*time.Millisecond))) }
			}
			first := push()
			redistest.Eventually(t, soon, "another job", func() bool { return push() != first })
		}
	})
}

// lateness pushes jobs with the given delays and returns how much later than
// asked each was started.
func lateness(t *testing.T, rdb *redis.Client, delays []time.Duration) []time.Duration {
	t.Helper()
	queue := jobs.NewQueue[int64]("later")
	var late journal[time.Duration]
	handler := queue.Handle(func(_ context.Context, due int64) error {
		late.add(time.Since(time.Unix(0, due)))
		return nil
	})
	startWorker(t, rdb, handler)
	ctx := clientContext(rdb, handler)
	for i, d := range delays {
		due := time.Now().Add(d)
		option := jobs.In(d)
		if i%2 == 1 {
			option = jobs.At(due)
		}
		must(t)(queue.Push(ctx, due.UnixNano(), option))
	}
	return late.waitFor(t, len(delays), "the delayed jobs")
}

func TestDelayedJobsStartInTime(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var delays []time.Duration
		for i := range 20 {
			// The last is the first that is due.
			delays = append(delays, time.Duration(2000-97*i)*time.Millisecond+345*time.Microsecond)
		}
		for _, late := range lateness(t, rdb, delays) {
			if late < 0 || late > 250*time.Millisecond {
				t.Errorf("a job was started %v after its time, want 0 to 250 ms", late)
			}
		}
	})
}

func TestRetriesStartInTime(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("again")
		var starts journal[time.Time]
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			starts.add(time.Now())
			switch job, _ := jobs.FromContext(ctx); job.Attempt {
			case 1:
				return errors.New("once")
			case 2:
				return jobs.RetryIn(errors.New("twice"), 333*time.Millisecond)
			}
			return nil
		}, jobs.Backoff(func(int) time.Duration { return 150 * time.Millisecond }))
		startWorker(t, rdb, handler)
		must(t)(queue.Push(clientContext(rdb, handler), 1))
		got := starts.waitFor(t, 3, "the retries")
		for i, want := range []time.Duration{150 * time.Millisecond, 333 * time.Millisecond} {
			if after := got[i+1].Sub(got[i]); after < want || after > want+250*time.Millisecond {
				t.Errorf("retry %d came after %v, want %v to 250 ms more", i+1, after, want)
			}
		}
	})
}

func TestForeignJobsAreFoundWithinASecond(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("mixed")
		seen := make(chan time.Time, 1)
		startWorker(t, rdb, queue.Handle(func(context.Context, string) error { seen <- time.Now(); return nil }))
		client := asynq.NewClientFromRedisClient(rdb)
		enqueue := func(options ...asynq.Option) {
			t.Helper()
			if _, err := client.Enqueue(asynq.NewTask("any", []byte("x")), append(options, asynq.Queue("mixed"))...); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			pushed := time.Now()
			enqueue()
			if took := (<-seen).Sub(pushed); took > 1500*time.Millisecond {
				t.Errorf("a foreign job was found after %v", took)
			}
		}
		due := time.Now().Add(time.Second).Truncate(time.Second) // asynq cuts it
		enqueue(asynq.ProcessAt(due))
		if late := (<-seen).Sub(due); late < 0 || late > 1500*time.Millisecond {
			t.Errorf("a foreign delayed job was found %v after its time", late)
		}
	})
}

func TestPermanentGivesUpAtOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("mail")
		cause := errors.New("no such address")
		if err := jobs.Permanent(cause); !errors.Is(err, cause) || jobs.Permanent(nil) != nil || jobs.RetryIn(nil, time.Second) != nil {
			t.Errorf("Permanent returned %v", err)
		}
		handler := queue.Handle(func(context.Context, string) error { return jobs.Permanent(cause) }, fast)
		startWorker(t, rdb, handler)
		id := must(t)(queue.Push(clientContext(rdb, handler), "x"))
		info := waitForState(t, rdb, "mail", id, asynq.TaskStateArchived)
		if info.LastErr != cause.Error() || info.Retried != 0 {
			t.Errorf("the archive says %q after %d retries", info.LastErr, info.Retried)
		}
	})
}

func TestRateHoldsAcrossWorkers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const n, per = 5, 300 * time.Millisecond
		for _, name := range []string{"calls", "calls.fifo"} {
			queue := jobs.NewQueue[int](name)
			var starts journal[time.Time]
			handler := queue.Handle(func(context.Context, int) error { starts.add(time.Now()); return nil }, jobs.Rate(n, per))
			ctx := clientContext(rdb, handler)
			for i := range 4 * n {
				if name == "calls" {
					must(t)(queue.Push(ctx, i))
				} else {
					must(t)(queue.Group(string(rune('a'+i%7))).Push(ctx, i))
				}
			}
			for range 3 {
				startWorker(t, rdb, handler)
			}
			got := starts.waitFor(t, 4*n, "the jobs")
			slices.SortFunc(got, time.Time.Compare)
			// A handler notes its start a little after Redis counted it.
			const noise = 100 * time.Millisecond
			for i := n; i < len(got); i++ {
				if within := got[i].Sub(got[i-n]); within < per-noise {
					t.Errorf("%s: %d jobs started within %v", name, n+1, within)
				}
			}
			if took := got[len(got)-1].Sub(got[0]); took < 3*per-noise || took > 3*per+2*time.Second {
				t.Errorf("%s: the jobs took %v, want a little over %v", name, took, 3*per)
			}
		}
	})
}

func TestWorkerRefusesAWrongRate(t *testing.T) {
	rdb := redistest.Embedded(t)
	for _, option := range []jobs.HandlerOption{jobs.Rate(0, time.Second), jobs.Rate(1, 0), jobs.Rate(100_001, time.Second)} {
		w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{jobs.NewQueue[int]("q").Handle(ignore[int], option)}}
		if err := w.Run(context.Background()); err == nil {
			t.Error("Run accepted a wrong rate")
		}
	}
}
