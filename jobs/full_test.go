package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// makeFull makes Redis refuse whatever needs memory from now on, however much is
// freed.
func makeFull(t testing.TB, rdb *redis.Client) {
	t.Helper()
	ctx := context.Background()
	if err := rdb.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(ctx, "more", "x", 0).Err(); !redis.HasErrorPrefix(err, "OOM") {
		t.Fatalf("a write to a full Redis returned %v", err)
	}
}

// A worker that starts on a full Redis works everything off: jobs in line, in
// groups, delayed, failing, given up and with results.
func TestAWorkerThatStartsOnAFullRedisWorksAllOfItOff(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	var (
		plain    = jobs.NewQueue[int]("plain")
		grouped  = jobs.NewQueue[int]("grouped.fifo")
		serial   = jobs.NewQueue[int]("serial")
		delayed  = jobs.NewQueue[int]("delayed")
		failing  = jobs.NewQueue[int]("failing")
		hopeless = jobs.NewQueue[int]("hopeless")
		results  = jobs.NewQueue[int]("results")
	)
	var runs journal[string]
	note := func(ctx context.Context, n int) error {
		job, _ := jobs.FromContext(ctx)
		if err := jobs.Progress(ctx, n); err != nil {
			t.Errorf("progress of a job on a full Redis: %v", err)
		}
		runs.add(fmt.Sprint(job.Queue, job.Group, n))
		return nil
	}
	handlers := []jobs.Handler{
		plain.Handle(note), grouped.Handle(note), serial.Handle(note), delayed.Handle(note),
		failing.Handle(func(ctx context.Context, n int) error {
			if job, _ := jobs.FromContext(ctx); job.Attempt == 1 {
				return errors.New("the first time it fails")
			}
			return note(ctx, n)
		}, fast),
		hopeless.Handle(func(context.Context, int) error { return jobs.Permanent(errors.New("hopeless")) }),
		jobs.HandleResult(results, func(ctx context.Context, n int) (int, error) { return 2 * n, note(ctx, n) }),
	}
	ctx := clientContext(rdb, handlers...)
	const each = 300
	want := 0
	push := func(_ string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		want++
	}
	var result, given string
	for n := range each {
		push(plain.Push(ctx, n))
		push(grouped.Group(fmt.Sprint(n%3)).Push(ctx, n))
		push(serial.Push(ctx, n, jobs.Serial("one")))
		push(delayed.Push(ctx, n, jobs.In(time.Second)))
		push(failing.Push(ctx, n))
		id, err := results.Push(ctx, n)
		push(id, err)
		result = id
	}
	given = must(t)(hopeless.Push(ctx, 1))
	makeFull(t, rdb)

	for what, err := range map[string]error{
		"push":           second(plain.Push(ctx, -1)),
		"push to group":  second(grouped.Group("x").Push(ctx, -1)),
		"delayed push":   second(plain.Push(ctx, -1, jobs.In(time.Hour))),
		"unique push":    second(plain.Push(ctx, -1, jobs.Unique(time.Hour))),
		"ascending push": second(plain.Push(ctx, -1, jobs.Ascending("line", 1))),
	} {
		if !errors.Is(err, jobs.ErrFull) {
			t.Errorf("%s to a full Redis: %v, want ErrFull", what, err)
		}
	}
	startWorker(t, rdb, handlers...)
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := client.Wait(ctx, "results", result); err != nil || info.State != jobs.Completed || string(info.Result) != fmt.Sprint(2*(each-1)) {
		t.Errorf("a result on a full Redis: %+v, %v", info, err)
	}
	runs.waitFor(t, want, "all jobs to be run")
	for _, queue := range []string{"plain", "grouped.fifo", "serial", "delayed", "failing"} {
		redistest.Eventually(t, soon, "queue "+queue+" to be empty", func() bool { return queueIsEmpty(rdb, queue) })
	}
	if info, err := client.Get(ctx, "hopeless", given); err != nil || info.State != jobs.Archived {
		t.Errorf("what was given up is %+v, %v", info, err)
	}
	seen := map[string]int{}
	for _, run := range runs.all() {
		seen[run]++
	}
	if len(seen) != want || len(runs.all()) != want {
		t.Errorf("%d runs of %d jobs, want %d", len(runs.all()), len(seen), want)
	}
	if rdb.Exists(context.Background(), "asynq:{plain}:lines").Val() == 1 {
		t.Error("a refused push has left its number behind")
	}
}

// Other jobs of a worker than those of a full Redis' line: what a killed one had,
// what is cancelled, and what is stopped.
func TestJobsOfAKilledWorkerAreRecoveredOnAFullRedis(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	victim := startWorkerProcess(t, rdb, "victim", 0)
	all := pushHeld(t, rdb, 1)
	makeFull(t, rdb)
	victim.kill()

	// The children's journal is in this Redis, so the heir is in this process.
	var starts journal[string]
	start := func(ctx context.Context, _ act) error {
		job, _ := jobs.FromContext(ctx)
		starts.add(job.ID)
		return nil
	}
	startWorker(t, rdb, acts.Handle(start), onceActs.Handle(start), fifoActs.Handle(start))
	redistest.Eventually(t, 2*takeOver, "the jobs to be run elsewhere", func() bool { return len(starts.all()) > len(all) })
	for _, h := range all {
		waitUntilGone(t, rdb, h.queue, h.id)
	}
}

func TestCancelOnAFullRedis(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	queue := jobs.NewQueue[int]("q")
	started, causes := journal[int]{}, journal[error]{}
	handler := queue.Handle(func(ctx context.Context, n int) error {
		started.add(n)
		<-ctx.Done()
		causes.add(context.Cause(ctx))
		return ctx.Err()
	}, jobs.Concurrency(1))
	startWorker(t, rdb, handler)
	ctx := clientContext(rdb, handler)
	running, waiting := must(t)(queue.Push(ctx, 1)), must(t)(queue.Push(ctx, 2))
	later := must(t)(queue.Push(ctx, 3, jobs.In(time.Hour)))
	started.waitFor(t, 1, "the first job to run")
	makeFull(t, rdb)
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{waiting, later, running} {
		if err := client.Cancel(ctx, "q", id); err != nil {
			t.Errorf("cancel on a full Redis: %v", err)
		}
	}
	if cause := causes.waitFor(t, 1, "the running one to be cancelled")[0]; !errors.Is(cause, jobs.ErrCancelled) {
		t.Errorf("its cause is %v", cause)
	}
	for _, id := range []string{waiting, later} {
		if _, err := client.Get(ctx, "q", id); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("a cancelled job: %v, want ErrNotFound", err)
		}
	}
}

// second is the error of a push.
func second(_ string, err error) error { return err }
