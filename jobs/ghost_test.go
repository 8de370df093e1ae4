package jobs_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The id of a job that was cancelled deep in a long line stays in it. Whatever the
// dashboard does to the whole line then, nothing is left of it, and its id is free.
func TestNothingIsLeftOfACancelledJobInALongLine(t *testing.T) {
	all := map[string]func(*redis.Client) error{
		"passed over": func(*redis.Client) error { return nil },
		"archived and run again": func(rdb *redis.Client) error {
			if _, err := inspect(rdb).ArchiveAllPendingTasks("q"); err != nil {
				return err
			}
			_, err := inspect(rdb).RunAllArchivedTasks("q")
			return err
		},
		"deleted": func(rdb *redis.Client) error {
			_, err := inspect(rdb).DeleteAllPendingTasks("q")
			return err
		},
	}
	for name, change := range all {
		t.Run(name, func(t *testing.T) {
			redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
				queue := jobs.NewQueue[string]("q")
				var runs journal[string]
				handler := queue.Handle(func(_ context.Context, what string) error {
					runs.add(what)
					return nil
				}, jobs.Concurrency(1))
				ctx := clientContext(rdb, handler)
				push := func(what string) {
					t.Helper()
					for n := range 130 {
						must(t)(queue.Push(ctx, what, jobs.ID(fmt.Sprint(what, n))))
					}
				}
				push("before")
				for _, id := range []string{"gone", "taken"} {
					must(t)(queue.Push(ctx, "never", jobs.ID(id)))
				}
				push("after")
				client, err := jobs.ClientFrom(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range []string{"gone", "taken"} {
					if err := client.Cancel(ctx, "q", id); err != nil {
						t.Fatal(err)
					}
					if err := client.Cancel(ctx, "q", id); err == nil {
						t.Error("a job was cancelled twice")
					}
				}
				if n := rdb.LLen(ctx, "asynq:{q}:pending").Val(); n != 262 {
					t.Fatalf("%d ids are in line: the cancelled ones were taken out, which this test is not about", n)
				}
				if err := change(rdb); err != nil {
					t.Fatal(err)
				}
				must(t)(queue.Push(ctx, "taken", jobs.ID("taken")))
				if n := rdb.LPosCount(ctx, "asynq:{q}:pending", "taken", 0, redis.LPosArgs{}).Val(); len(n) != 1 {
					t.Errorf("the id that was taken again is in line %d times", len(n))
				}
				startWorker(t, rdb, handler)
				waitUntilGone(t, rdb, "q", "taken")
				redistest.Eventually(t, soon, "the queue to be empty", func() bool { return queueIsEmpty(rdb, "q") })
				for _, what := range runs.all() {
					if what == "never" {
						t.Error("a cancelled job has run")
					}
				}
				if left := rdb.Keys(ctx, "asynq:{q}:t:*").Val(); len(left) > 0 {
					t.Errorf("of jobs there are left %v", left)
				}
				must(t)(queue.Push(ctx, "later", jobs.ID("gone")))
			})
		})
	}
}
