package jobs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A user of Redis who may not use channels, as one that was made with ACL SETUSER
// alone, pushes and works all the same: wake-ups are not heard then.
func TestJobsAreRunForAUserWithoutChannels(t *testing.T) {
	server := redistest.Real(t)
	admin := server.Client(t)
	if err := admin.Do(t.Context(), "ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "resetchannels").Err(); err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, Username: "app", Password: "secret"})
	t.Cleanup(func() { rdb.Close() })
	if err := rdb.Publish(t.Context(), "x", "").Err(); !redis.IsPermissionError(err) {
		t.Fatalf("the user may publish: %v", err)
	}
	plain, line := jobs.NewQueue[int]("q"), jobs.NewQueue[int]("q.fifo")
	var runs journal[int]
	run := func(ctx context.Context, n int) error {
		if job, _ := jobs.FromContext(ctx); n == 3 && job.Attempt == 1 {
			return errors.New("the first time")
		}
		runs.add(n)
		return nil
	}
	handlers := []jobs.Handler{plain.Handle(run, fast), line.Handle(run, fast)}
	ctx := clientContext(rdb, handlers...)
	startWorker(t, rdb, handlers...)
	for n := range 4 {
		must(t)(plain.Push(ctx, n))
		must(t)(line.Group("g").Push(ctx, n))
	}
	later := must(t)(plain.Push(ctx, 10, jobs.ID("later"), jobs.In(1<<40)))
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Cancel(ctx, "q", later); err != nil {
		t.Errorf("cancel: %v", err)
	}
	kept := must(t)(line.Group("g").Push(ctx, 20, jobs.ID("kept")))
	if info, err := client.Wait(ctx, "q.fifo", kept); err == nil && info.State != jobs.Completed || err != nil && !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("wait: %+v, %v", info, err)
	}
	runs.waitFor(t, 9, "all to run")
}

// Nor is a worker told that a job is cancelled, so it looks.
func TestARunningJobIsCancelledForAUserWithoutChannels(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	if err := rdb.Do(t.Context(), "ACL", "SETUSER", "default", "resetchannels").Err(); err != nil {
		t.Fatal(err)
	}
	queue := jobs.NewQueue[int]("q")
	started, causes := journal[int]{}, journal[error]{}
	handler := queue.Handle(func(ctx context.Context, n int) error {
		started.add(n)
		<-ctx.Done()
		causes.add(context.Cause(ctx))
		return ctx.Err()
	})
	ctx := clientContext(rdb, handler)
	startWorker(t, rdb, handler)
	id := must(t)(queue.Push(ctx, 1))
	started.waitFor(t, 1, "the job to run")
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Cancel(ctx, "q", id); err != nil {
		t.Errorf("cancel: %v", err)
	}
	if cause := causes.waitFor(t, 1, "it to be cancelled")[0]; !errors.Is(cause, jobs.ErrCancelled) {
		t.Errorf("its cause is %v", cause)
	}
}
