package jobs_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

type order struct {
	ID    string `json:"id"`
	Items []item `json:"items"`
}

type item struct {
	Count int `json:"count"`
}

// roundTrip pushes a payload and returns what the handler got.
func roundTrip[T any](t *testing.T, rdb *redis.Client, name string, payload T) T {
	t.Helper()
	queue := jobs.NewQueue[T](name)
	got := make(chan T, 1)
	handler := queue.Handle(func(_ context.Context, v T) error { got <- v; return nil })
	startWorker(t, rdb, handler)
	must(t)(queue.Push(clientContext(rdb, handler), payload))
	select {
	case v := <-got:
		return v
	case <-time.After(soon):
		t.Fatal("the job was not run")
		panic("unreachable")
	}
}

func TestQueueCarriesPayloads(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		if got := roundTrip(t, rdb, "structs", order{"a", []item{{3}}}); got.ID != "a" || got.Items[0].Count != 3 {
			t.Errorf("a struct became %+v", got)
		}
		if got := roundTrip(t, rdb, "numbers", 7); got != 7 {
			t.Errorf("7 became %d", got)
		}
		if got := roundTrip(t, rdb, "texts", "not \"JSON\"\n"); got != "not \"JSON\"\n" {
			t.Errorf("a string became %q", got)
		}
		if got := roundTrip(t, rdb, "bytes", []byte{0, 255, '"'}); string(got) != "\x00\xff\"" {
			t.Errorf("bytes became %q", got)
		}
	})
}

func TestQueueRetriesWhatFails(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("mail")
		var attempts journal[int]
		var waits journal[int]
		handler := queue.Handle(func(ctx context.Context, how string) error {
			job, _ := jobs.FromContext(ctx)
			attempts.add(job.Attempt)
			if job.Attempt == 3 {
				return nil
			}
			if how == "panic" {
				panic("at the disco")
			}
			return errors.New("no route")
		}, jobs.Backoff(func(attempt int) time.Duration { waits.add(attempt); return 0 }))
		startWorker(t, rdb, handler)
		for _, how := range []string{"error", "panic"} {
			id := must(t)(queue.Push(clientContext(rdb, handler), how))
			waitUntilGone(t, rdb, "mail", id)
		}
		if got := attempts.all(); len(got) != 6 || got[0] != 1 || got[1] != 2 || got[2] != 3 || got[5] != 3 {
			t.Errorf("attempts %v, want 1 2 3 twice", got)
		}
		if got := waits.all(); len(got) != 4 || got[0] != 1 || got[1] != 2 {
			t.Errorf("Backoff was asked about the attempts %v, want 1 2 twice", got)
		}
	})
}

func TestQueueKeepsWhatExhaustsItsRetries(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for name, retries := range map[string]int{"never-again": 0, "once-more": 1} {
			queue := jobs.NewQueue[int](name)
			var works atomic.Bool
			var runs atomic.Int32
			handler := queue.Handle(func(context.Context, int) error {
				runs.Add(1)
				if works.Load() {
					return nil
				}
				return errors.New("broken")
			}, jobs.Retries(retries), fast)
			startWorker(t, rdb, handler)
			id := must(t)(queue.Push(clientContext(rdb, handler), 1))
			info := waitForState(t, rdb, name, id, asynq.TaskStateArchived)
			if got := int(runs.Load()); got != retries+1 {
				t.Errorf("Retries(%d): the job was run %d times", retries, got)
			}
			if info.LastErr != "broken" {
				t.Errorf("the archive says %q, want the handler's error", info.LastErr)
			}
			works.Store(true)
			if err := inspect(rdb).RunTask(name, id); err != nil {
				t.Fatal(err)
			}
			waitUntilGone(t, rdb, name, id)
		}
	})
}

func TestQueueDefaults(t *testing.T) {
	rdb := redistest.Embedded(t)
	// The worker's choice is seen in the task once it has failed.
	for name, test := range map[string]struct {
		options []jobs.HandlerOption
		retries int
	}{
		"standard":      {nil, 25},
		"ordered.fifo":  {nil, 10},
		"stubborn.fifo": {[]jobs.HandlerOption{jobs.Retries(-1)}, 1<<31 - 1},
	} {
		queue := jobs.NewQueue[int](name)
		var first atomic.Bool
		handler := queue.Handle(func(context.Context, int) error {
			first.Store(true)
			return errors.New("not yet")
		}, append(test.options, jobs.Backoff(func(int) time.Duration { return time.Minute }))...)
		startWorker(t, rdb, handler)
		push := queue.Push
		if strings.HasSuffix(name, ".fifo") {
			push = queue.Group("g").Push
		}
		id := must(t)(push(clientContext(rdb, handler), 1))
		info := waitForState(t, rdb, name, id, asynq.TaskStateRetry)
		if info.MaxRetry != test.retries {
			t.Errorf("queue %s: %d retries, want %d", name, info.MaxRetry, test.retries)
		}
	}
}

func TestQueueDoesNotRetryWhatCannotBeDecoded(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[order]("orders")
		handler := queue.Handle(func(context.Context, order) error { t.Error("the handler was called"); return nil })
		startWorker(t, rdb, handler)
		foreign := asynq.NewClientFromRedisClient(rdb)
		for payload, want := range map[string]string{
			`{"items":[{"count":"three"}]}`: `field "items.count"`,
			`{"id":`:                        "unexpected end of JSON",
		} {
			info, err := foreign.Enqueue(asynq.NewTask("orders", []byte(payload)), asynq.Queue("orders"))
			if err != nil {
				t.Fatal(err)
			}
			info = waitForState(t, rdb, "orders", info.ID, asynq.TaskStateArchived)
			if !strings.Contains(info.LastErr, want) || !strings.Contains(info.LastErr, `queue "orders"`) {
				t.Errorf("payload %s: error %q, want it to name the queue and %s", payload, info.LastErr, want)
			}
		}
	})
}

func TestQueueTimeoutReleasesNothingUntilTheHandlerReturned(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("slow")
		var inside, overlaps atomic.Int32
		var causes journal[error]
		release := make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			if inside.Add(1) > 1 {
				overlaps.Add(1)
			}
			defer inside.Add(-1)
			job, _ := jobs.FromContext(ctx)
			if job.Attempt > 1 {
				return nil
			}
			<-ctx.Done()
			causes.add(context.Cause(ctx))
			<-release // It ignores the cancellation.
			return nil
		}, jobs.Timeout(20*time.Millisecond), fast)
		startWorker(t, rdb, handler)
		id := must(t)(queue.Push(clientContext(rdb, handler), 1))
		cause := causes.waitFor(t, 1, "the time-out")[0]
		if !errors.Is(cause, jobs.ErrTimeout) {
			t.Errorf("cause %v, want ErrTimeout", cause)
		}
		// Whoever cancels the job in the dashboard does not start another run either.
		if err := inspect(rdb).CancelProcessing(id); err != nil {
			t.Fatal(err)
		}
		waitForState(t, rdb, "slow", id, asynq.TaskStateActive)
		close(release)
		waitForState(t, rdb, "slow", id, asynq.TaskStateArchived) // Cancelled is not retried.
		if err := inspect(rdb).RunTask("slow", id); err != nil {
			t.Fatal(err)
		}
		waitUntilGone(t, rdb, "slow", id)
		if overlaps.Load() > 0 {
			t.Error("the next run began before the handler had returned")
		}
	})
}

func TestQueueTimeoutIsAFailure(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[int]("slow")
	handler := queue.Handle(func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return nil
	}, jobs.Timeout(time.Millisecond), jobs.Retries(0))
	startWorker(t, rdb, handler)
	id := must(t)(queue.Push(clientContext(rdb, handler), 1))
	info := waitForState(t, rdb, "slow", id, asynq.TaskStateArchived)
	if !strings.Contains(info.LastErr, jobs.ErrTimeout.Error()) {
		t.Errorf("error %q, want it to say %q", info.LastErr, jobs.ErrTimeout)
	}
}

func TestQueueDispatchesByExactName(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var seen journal[string]
		note := func(ctx context.Context, _ int) error {
			job, _ := jobs.FromContext(ctx)
			seen.add(job.Queue)
			return nil
		}
		short, long := jobs.NewQueue[int]("email"), jobs.NewQueue[int]("email_digest")
		handlers := []jobs.Handler{short.Handle(note), long.Handle(note)}
		startWorker(t, rdb, handlers...)
		must(t)(long.Push(clientContext(rdb, handlers...), 1))
		if got := seen.waitFor(t, 1, "the job")[0]; got != "email_digest" {
			t.Errorf("it was run by the handler of %q", got)
		}
	})
}

func TestQueueConcurrencyIsPerQueue(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		narrow, wide := jobs.NewQueue[int]("narrow"), jobs.NewQueue[int]("wide")
		var inside, tooMany atomic.Int32
		release := make(chan struct{})
		handlers := []jobs.Handler{
			narrow.Handle(func(context.Context, int) error {
				if inside.Add(1) > 2 {
					tooMany.Add(1)
				}
				defer inside.Add(-1)
				<-release
				return nil
			}, jobs.Concurrency(2)),
			wide.Handle(ignore[int]),
		}
		startWorker(t, rdb, handlers...)
		ctx := clientContext(rdb, handlers...)
		ids, err := narrow.PushMany(ctx, []int{1, 2, 3, 4, 5})
		if err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, soon, "two jobs to run", func() bool { return inside.Load() == 2 })
		// A full queue does not hold up another one.
		waitUntilGone(t, rdb, "wide", must(t)(wide.Push(ctx, 1)))
		close(release)
		waitUntilGone(t, rdb, "narrow", ids...)
		if n := tooMany.Load(); n > 0 {
			t.Errorf("%d jobs were the third to run at the same time", n)
		}
	})
}

func TestQueueFindsWhatAForeignClientPushed(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[order]("orders")
		got := make(chan jobs.Job, 2)
		handler := queue.Handle(func(ctx context.Context, o order) error {
			job, _ := jobs.FromContext(ctx)
			got <- job
			if job.Attempt == 1 {
				return errors.New("once more")
			}
			return nil
		}, fast)
		startWorker(t, rdb, handler)
		foreign := asynq.NewClientFromRedisClient(rdb)
		// Neither the deadline nor the retries of the pusher count.
		info, err := foreign.Enqueue(asynq.NewTask("orders", []byte(`{"id":"x"}`)), asynq.Queue("orders"),
			asynq.MaxRetry(0), asynq.Deadline(time.Now().Add(-time.Hour)), asynq.Unique(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		waitUntilGone(t, rdb, "orders", info.ID)
		if job := <-got; job.ID != info.ID || job.UserID != "" || !job.QueuedAt.IsZero() {
			t.Errorf("the job is %+v", job)
		}
		if keys := rdb.Keys(context.Background(), "*unique*").Val(); len(keys) > 0 {
			t.Errorf("its unique key is still taken: %q", keys)
		}
	})
}
