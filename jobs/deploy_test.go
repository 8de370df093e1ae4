package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A worker that was told to stop, and ended before a handler that does not listen
// to its context had returned, did not die of that job.
func TestACleanStopIsNoDeathOfItsJobs(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		queue := jobs.NewQueue[int]("q")
		release := make(chan struct{})
		defer close(release)
		var starts journal[int]
		handler := queue.Handle(func(context.Context, int) error {
			starts.add(0)
			<-release
			return nil
		})
		ctx := clientContext(rdb, handler)
		id := must(t)(queue.Push(ctx, 1))
		worker := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Drain: time.Millisecond}
		run, cancel := context.WithCancel(ctx)
		stopped := make(chan error)
		go func() { stopped <- worker.Run(run) }()
		starts.waitFor(t, 1, "the job to run")
		cancel()
		if err := <-stopped; err == nil || !strings.Contains(err.Error(), "did not return") {
			t.Fatalf("the worker stopped with %v", err)
		}
		startWorker(t, rdb, jobs.NewQueue[int]("q").Handle(func(ctx context.Context, _ int) error {
			starts.add(1)
			return errors.New("not now")
		}, jobs.Backoff(func(int) time.Duration { return time.Hour })))
		redistest.Eventually(t, 2*takeOver, "it to be run again", func() bool { return len(starts.all()) == 2 })
		if n := rdb.HGet(context.Background(), "asynq:{q}:t:"+id, "recoveries").Val(); n != "0" {
			t.Errorf("the job counts %q recoveries, want 0", n)
		}
	})
}
