package jobs_test

import (
	"context"
	"errors"
	"slices"
	"sync"
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

// machine measures how late this machine is with a timer and a trip to Redis,
// so that a test does not blame the worker for it.
func machine(t *testing.T, rdb *redis.Client) (lateness func() time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	worst := make(chan time.Duration, 1)
	go func() {
		var most time.Duration
		for ctx.Err() == nil {
			due := time.Now().Add(10 * time.Millisecond)
			time.Sleep(time.Until(due))
			rdb.Ping(context.Background())
			most = max(most, time.Since(due))
		}
		worst <- most
	}()
	lateness = sync.OnceValue(func() time.Duration {
		cancel()
		return <-worst
	})
	t.Cleanup(func() { lateness() })
	return lateness
}

// inTime is how late a job may be started that was delayed, when the machine
// itself is this late. A start takes a handful of steps that may each be.
func inTime(machine time.Duration) time.Duration { return 250*time.Millisecond + 5*machine }

func TestDelayedJobsStartInTime(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int64]("later")
		var late journal[time.Duration]
		handler := queue.Handle(func(_ context.Context, due int64) error {
			late.add(time.Since(time.Unix(0, due)))
			return nil
		})
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		noise := machine(t, rdb)
		for i := range 20 {
			// The last is the first that is due.
			d := time.Duration(2000-97*i)*time.Millisecond + 345*time.Microsecond
			due := time.Now().Add(d)
			option := jobs.In(d)
			if i%2 == 1 {
				option = jobs.At(due)
			}
			must(t)(queue.Push(ctx, due.UnixNano(), option))
		}
		got := late.waitFor(t, 20, "the delayed jobs")
		if early := slices.Min(got); early < 0 {
			t.Errorf("a job was started %v early", -early)
		}
		if most, limit := slices.Max(got), inTime(noise()); most > limit {
			t.Errorf("a job was started %v late, want %v at most", most, limit)
		}
		t.Logf("started between %v and %v late", slices.Min(got), slices.Max(got))
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
		noise := machine(t, rdb)
		startWorker(t, rdb, handler)
		must(t)(queue.Push(clientContext(rdb, handler), 1))
		got := starts.waitFor(t, 3, "the retries")
		limit := inTime(noise())
		for i, want := range []time.Duration{150 * time.Millisecond, 333 * time.Millisecond} {
			if after := got[i+1].Sub(got[i]); after < want || after > want+limit {
				t.Errorf("retry %d came after %v, want %v to %v more", i+1, after, want, limit)
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
		noise := machine(t, rdb)
		var took []time.Duration
		for range 3 {
			pushed := time.Now()
			enqueue()
			took = append(took, (<-seen).Sub(pushed))
		}
		due := time.Now().Add(time.Second).Truncate(time.Second) // asynq cuts it
		enqueue(asynq.ProcessAt(due))
		took = append(took, (<-seen).Sub(due))
		limit := time.Second + inTime(noise())
		if slices.Min(took) < 0 || slices.Max(took) > limit {
			t.Errorf("foreign jobs were found after %v, want %v at most; the last was delayed", took, limit)
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
			began := time.Now()
			for range 3 {
				startWorker(t, rdb, handler)
			}
			got := starts.waitFor(t, 4*n, "the jobs")
			slices.SortFunc(got, time.Time.Compare)
			for i, start := range got {
				if after, want := start.Sub(began), time.Duration(i/n)*per; after < want {
					t.Errorf("%s: job %d was started after %v, want %v or later", name, i, after, want)
				}
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

func TestAPanicInWhatIsGivenToAWorkerEndsNoWorker(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[string]("q")
	done := make(chan struct{})
	handler := queue.Handle(func(ctx context.Context, _ string) error {
		if job, _ := jobs.FromContext(ctx); job.Attempt == 1 {
			return errors.New("once")
		}
		close(done)
		return nil
	}, jobs.Backoff(func(int) time.Duration { panic("no idea") }))
	runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler},
		OnUpdate: func(context.Context, jobs.Info) error { panic("nobody there") }})
	ctx := jobs.WithUserID(clientContext(rdb, handler), "ada")
	id := must(t)(queue.Push(ctx, "x", jobs.NotifyUser()))
	<-done
	waitUntilGone(t, rdb, "q", id)
}
