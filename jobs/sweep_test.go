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

// With more groups than are looked at each time, a first job that was deleted in
// the dashboard is missed all the same.
func TestADeletedFirstJobOfManyGroupsIsMissed(t *testing.T) {
	rdb := redistest.Real(t).Client(t) // The embedded one takes a minute to hold so many keys.
	queue := jobs.NewQueue[int]("q.fifo")
	var runs journal[int]
	release := make(chan struct{})
	handler := queue.Handle(func(_ context.Context, n int) error {
		if runs.add(n); n == 0 {
			<-release
		}
		return nil
	}, jobs.Concurrency(1))
	ctx := clientContext(rdb, handler)
	must(t)(queue.Group("holds the only slot").Push(ctx, 0))
	startWorker(t, rdb, handler)
	t.Cleanup(func() { close(release) })
	runs.waitFor(t, 1, "the slot to be taken")
	const groups = 4000
	var first string
	for n := range groups {
		id := must(t)(queue.Group(fmt.Sprint(n)).Push(ctx, 1))
		if n == groups/2 {
			first = id
		}
	}
	next := must(t)(queue.Group(fmt.Sprint(groups/2)).Push(ctx, 2))
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := client.Get(ctx, "q.fifo", next); err != nil || info.State != jobs.Scheduled {
		t.Fatalf("the next of the group is %+v, %v", info, err)
	}
	if err := inspect(rdb).DeleteTask("q.fifo", first); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, soon, "the next of the group to be in line", func() bool {
		info, err := client.Get(ctx, "q.fifo", next)
		return err == nil && info.State == jobs.Pending
	})
}

// So many deleted jobs that one step does not step over all of them.
func TestAGroupOfWhichVeryManyJobsWereDeletedGoesOn(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		queue := jobs.NewQueue[int]("q.fifo")
		var runs journal[int]
		handler := queue.Handle(func(_ context.Context, n int) error {
			runs.add(n)
			return nil
		})
		ctx := clientContext(rdb, handler)
		const deleted = 450
		many := make([]int, deleted+1)
		for i := range many {
			many[i] = i
		}
		if _, err := queue.Group("g").PushMany(ctx, many); err != nil {
			t.Fatal(err)
		}
		if n, err := inspect(rdb).DeleteAllScheduledTasks("q.fifo"); err != nil || n != deleted {
			t.Fatalf("delete all: %d, %v", n, err)
		}
		must(t)(queue.Group("g").Push(ctx, 1000))
		startWorker(t, rdb, handler)
		if got := runs.waitFor(t, 2, "what is left to run"); got[0] != 0 || got[1] != 1000 {
			t.Errorf("the runs are %v, want 0 and 1000", got)
		}
		redistest.Eventually(t, soon, "the queue to be empty", func() bool {
			return queueIsEmpty(rdb, "q.fifo") && rdb.Exists(ctx, "asynq:{q.fifo}:fifo:g", "asynq:{q.fifo}:fifo-unsettled").Val() == 0
		})
	})
}

// Of all workers of a queue one sweeps, and another when that one has gone.
func TestOneOfTheWorkersSweeps(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		queue := jobs.NewQueue[int]("q.fifo")
		handler := queue.Handle(func(context.Context, int) error { return errors.New("holds its group back") },
			jobs.Backoff(func(int) time.Duration { return time.Hour }))
		must(t)(queue.Group("g").Push(clientContext(rdb, handler), 1))
		ctx := context.Background()
		sweeper := func() string { return rdb.Get(ctx, "asynq:{q.fifo}:sweeper").Val() }
		stop := startWorker(t, rdb, handler)
		redistest.Eventually(t, soon, "a worker to sweep", func() bool { return sweeper() != "" })
		first := sweeper()
		startWorker(t, rdb, handler)
		startWorker(t, rdb, handler)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		redistest.Eventually(t, soon, "another one to sweep", func() bool { now := sweeper(); return now != "" && now != first })
	})
}
