package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

type sum struct {
	Total int `json:"total"`
}

func TestResultAndProgressAreKeptWithTheJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[[]int]("sums")
		half, release := make(chan struct{}), make(chan struct{})
		handler := jobs.HandleResult(queue, func(ctx context.Context, numbers []int) (sum, error) {
			if job, _ := jobs.FromContext(ctx); job.Attempt == 1 {
				return sum{}, errors.New("not yet")
			}
			if err := jobs.Progress(ctx, map[string]int{"percent": 50}); err != nil {
				return sum{}, err
			}
			close(half)
			<-release
			total := 0
			for _, n := range numbers {
				total += n
			}
			return sum{total}, nil
		}, fast)
		ctx := clientContext(rdb, handler)
		client := jobs.NewClient(rdb)
		id := must(t)(queue.Push(jobs.WithUserID(ctx, "ada"), []int{1, 2, 3}))
		if info, err := client.Get(ctx, "sums", id); err != nil || info.State != jobs.Pending || info.Job.Attempt != 0 {
			t.Errorf("before it runs: %+v, %v", info, err)
		}
		startWorker(t, rdb, handler)
		<-half
		info, err := client.Get(ctx, "sums", id)
		if err != nil || info.State != jobs.Active || string(info.Progress) != `{"percent":50}` ||
			info.Job.Attempt != 2 || info.Failed != 1 || info.LastError != "not yet" || info.Job.UserID != "ada" {
			t.Errorf("while it runs: %+v, %v", info, err)
		}
		waited := make(chan jobs.Info, 1)
		go func() {
			info, err := client.Wait(ctx, "sums", id)
			if err != nil {
				t.Error(err)
			}
			waited <- info
		}()
		close(release)
		info = <-waited
		if info.State != jobs.Completed || string(info.Result) != `{"total":6}` || info.LastError != "" {
			t.Errorf("in the end: %+v", info)
		}
		shown, err := inspect(rdb).GetTaskInfo("sums", id)
		if err != nil || string(shown.Result) != `{"total":6}` || shown.State != asynq.TaskStateCompleted || shown.CompletedAt.IsZero() {
			t.Errorf("the dashboard shows %+v, %v", shown, err)
		}
		if ttl := rdb.ZScore(ctx, "asynq:{sums}:completed", id).Val() - float64(time.Now().Unix()); ttl < 3500 || ttl > 3600 {
			t.Errorf("the result is kept for %v s, want an hour", ttl)
		}
	})
}

func TestWaitHearsOfEveryEnd(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		started, release := make(chan struct{}, 1), make(chan struct{})
		handler := queue.Handle(func(_ context.Context, how string) error {
			started <- struct{}{}
			<-release
			if how == "fails" {
				return errors.New("as asked")
			}
			return nil
		}, jobs.Retries(0))
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		client := jobs.NewClient(rdb)
		for how, want := range map[string]jobs.State{"succeeds": jobs.Completed, "fails": jobs.Archived} {
			id := must(t)(queue.Push(ctx, how))
			<-started
			result := make(chan error, 1)
			go func() {
				info, err := client.Wait(ctx, "q", id)
				if info.State != want {
					err = fmt.Errorf("%s: state %q, want %q: %w", how, info.State, want, err)
				}
				result <- err
			}()
			redistest.Eventually(t, soon, "the wait", func() bool { return rdb.HExists(ctx, "asynq:{q}:t:"+id, "waited").Val() })
			before := time.Now()
			release <- struct{}{}
			if err := <-result; err != nil {
				t.Error(err)
			}
			t.Logf("%s: known after %v", how, time.Since(before))
		}
		if _, err := client.Wait(ctx, "q", "nobody"); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("Wait for no job returned %v", err)
		}
		id := must(t)(queue.Push(ctx, "later", jobs.In(time.Hour)))
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		if _, err := client.Wait(short, "q", id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait returned %v when its context ended", err)
		}
	})
}

func TestCancel(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		line := jobs.NewQueue[string]("line.fifo")
		plain := jobs.NewQueue[string]("plain")
		started := make(chan string, 10)
		causes := make(chan error, 10)
		handle := func(ctx context.Context, name string) error {
			started <- name
			if name != "long" {
				return nil
			}
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}
		handlers := []jobs.Handler{line.Handle(handle, fast), plain.Handle(handle, fast)}
		ctx := clientContext(rdb, handlers...)
		client := jobs.NewClient(rdb)
		long := must(t)(line.Group("g").Push(ctx, "long"))
		second := must(t)(line.Group("g").Push(ctx, "second"))
		must(t)(line.Group("g").Push(ctx, "third"))
		later := must(t)(plain.Push(ctx, "later", jobs.In(time.Hour)))
		waiting := must(t)(plain.Push(ctx, "waiting"))
		for queue, id := range map[string]string{"line.fifo": second, "plain": later} {
			if err := client.Cancel(ctx, queue, id); err != nil {
				t.Error(err)
			}
		}
		if err := client.Cancel(ctx, "plain", waiting); err != nil {
			t.Error(err)
		}
		if _, err := client.Get(ctx, "plain", waiting); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("a cancelled job that waited: %v, want ErrNotFound", err)
		}
		startWorker(t, rdb, handlers...)
		if name := <-started; name != "long" {
			t.Errorf("%q was started", name)
		}
		if err := client.Cancel(ctx, "line.fifo", long); err != nil {
			t.Error(err)
		}
		if cause := <-causes; !errors.Is(cause, jobs.ErrCancelled) {
			t.Errorf("cause %v, want ErrCancelled", cause)
		}
		if name := <-started; name != "third" {
			t.Errorf("%q was started after the cancelled ones, want the third", name)
		}
		info := waitForState(t, rdb, "line.fifo", long, asynq.TaskStateArchived)
		if info.Retried != 0 || info.LastErr == "" {
			t.Errorf("the archive says %q, retried %d", info.LastErr, info.Retried)
		}
		if err := client.Cancel(ctx, "line.fifo", long); !errors.Is(err, jobs.ErrEnded) {
			t.Errorf("cancelled again: %v, want ErrEnded", err)
		}
		if err := client.Cancel(ctx, "line.fifo", "nobody"); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("cancelled nobody: %v, want ErrNotFound", err)
		}
	})
}

// A cancellation may come while the worker connects, or before the reply to the
// look that started the job.
func TestCancelReachesAJobThatWasJustStarted(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		handler := queue.Handle(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}, jobs.Concurrency(100))
		ctx := clientContext(rdb, handler)
		client := jobs.NewClient(rdb)
		for round := range 20 {
			id := must(t)(queue.Push(ctx, "x", jobs.ID(fmt.Sprint("first-", round))))
			stop := startWorker(t, rdb, handler)
			for _, id := range append([]string{id}, pushMany(t, ctx, queue, 5)...) {
				cancelWhenActive(t, rdb, client, id)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func pushMany(t *testing.T, ctx context.Context, queue *jobs.Queue[string], n int) []string {
	t.Helper()
	ids, err := queue.PushMany(ctx, make([]string, n))
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// cancelWhenActive cancels a job at the moment when Redis has started it, and
// waits until it has ended.
func cancelWhenActive(t *testing.T, rdb *redis.Client, client *jobs.Client, id string) {
	t.Helper()
	ctx := context.Background()
	for rdb.HGet(ctx, "asynq:{q}:t:"+id, "state").Val() != "active" {
	}
	if err := client.Cancel(ctx, "q", id); err != nil {
		t.Fatal(err)
	}
	waitForState(t, rdb, "q", id, asynq.TaskStateArchived)
}

// A worker that was not told, because its connection was lost, learns of it when
// it wants to retry the job.
func TestCancelHoldsWhenTheWorkerWasNotTold(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		started, release := make(chan struct{}), make(chan struct{})
		handler := queue.Handle(func(context.Context, string) error {
			started <- struct{}{}
			<-release
			return errors.New("failed by itself")
		}, fast)
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		id := must(t)(queue.Push(ctx, "x"))
		<-started
		rdb.HSet(ctx, "asynq:{q}:t:"+id, "cancelled", "1") // What Cancel does before it tells.
		close(release)
		if info := waitForState(t, rdb, "q", id, asynq.TaskStateArchived); info.Retried != 0 {
			t.Errorf("retried %d times", info.Retried)
		}
	})
}

func TestMiddlewareSurroundsTheHandler(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		var calls journal[string]
		var applied atomic.Int32
		named := func(name string) jobs.Middleware {
			return func(next func(context.Context) error) func(context.Context) error {
				applied.Add(1)
				return func(ctx context.Context) error {
					job, _ := jobs.FromContext(ctx)
					calls.add(name + " " + job.ID)
					err := next(ctx)
					calls.add(fmt.Sprint(name, " ", err))
					return err
				}
			}
		}
		handler := queue.Handle(func(context.Context, string) error {
			calls.add("handler")
			return errors.New("oops")
		}, jobs.Use(named("c"), named("d")), jobs.Retries(0))
		runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Middleware: []jobs.Middleware{named("a"), named("b")}})
		ctx := clientContext(rdb, handler)
		for _, id := range []string{"1", "2"} {
			must(t)(queue.Push(ctx, "x", jobs.ID(id)))
			waitForState(t, rdb, "q", id, asynq.TaskStateArchived)
		}
		want := fmt.Sprint([]string{"a 1", "b 1", "c 1", "d 1", "handler", "d oops", "c oops", "b oops", "a oops",
			"a 2", "b 2", "c 2", "d 2", "handler", "d oops", "c oops", "b oops", "a oops"})
		if got := fmt.Sprint(calls.all()); got != want {
			t.Errorf("calls %s, want %s", got, want)
		}
		if applied.Load() != 4 {
			t.Errorf("middleware was applied %d times, want once each", applied.Load())
		}
	})
}

func TestUpdatesGoToWhoeverAskedForThem(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		handler := jobs.HandleResult(queue, func(ctx context.Context, s string) (string, error) {
			if job, _ := jobs.FromContext(ctx); job.Attempt == 1 {
				return "", errors.New("not yet")
			}
			return s, jobs.Progress(ctx, "half")
		}, fast)
		var updates journal[string]
		w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, OnUpdate: func(ctx context.Context, info jobs.Info) error {
			data, err := json.Marshal(info)
			updates.add(jobs.UserID(ctx) + " " + string(data))
			return err
		}}
		runWorker(t, w)
		ctx := jobs.WithUserID(clientContext(rdb, handler), "ada")
		silent := must(t)(queue.Push(ctx, "silent"))
		if _, err := jobs.NewClient(rdb).Wait(ctx, "q", silent); err != nil {
			t.Fatal(err)
		}
		must(t)(queue.Push(ctx, "loud", jobs.NotifyUser(), jobs.ID("1")))
		want := fmt.Sprint([]string{
			`ada {"id":"1","queue":"q","state":"retry","attempt":1,"error":"not yet"}`,
			`ada {"id":"1","queue":"q","state":"active","attempt":2,"progress":"half"}`,
			`ada {"id":"1","queue":"q","state":"completed","attempt":2,"result":"loud"}`,
		})
		if got := fmt.Sprint(updates.waitFor(t, 3, "the updates")); got != want {
			t.Errorf("updates %s, want %s", got, want)
		}
	})
}

func TestProgressOutsideOfAHandler(t *testing.T) {
	if err := jobs.Progress(context.Background(), 1); !errors.Is(err, jobs.ErrNoJob) {
		t.Errorf("got %v, want ErrNoJob", err)
	}
}

func TestNobodyIsToldOfAnOutcomeThatIsDropped(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		started, release := make(chan struct{}), make(chan struct{})
		handler := queue.Handle(func(context.Context, int) error {
			close(started)
			<-release
			return nil
		})
		var updates journal[jobs.State]
		stop := runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, OnUpdate: func(_ context.Context, info jobs.Info) error {
			updates.add(info.State)
			return nil
		}})
		ctx := jobs.WithUserID(clientContext(rdb, handler), "ada")
		id := must(t)(queue.Push(ctx, 1, jobs.NotifyUser()))
		<-started
		rdb.HSet(ctx, "asynq:{q}:t:"+id, "run", "another:1") // As if another worker had taken it over.
		close(release)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := updates.all(); len(got) > 0 {
			t.Errorf("the user was told that the job is %v", got)
		}
	})
}
