package jobs_test

import (
	"context"
	"errors"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A live worker makes its queues known again when Redis has lost everything, so
// that programs without handlers can push to them.
func TestQueuesAreKnownAgainAfterTheirRecordWasLost(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		queue := jobs.NewQueue[int]("q")
		var runs journal[int]
		startWorker(t, rdb, queue.Handle(func(_ context.Context, n int) error {
			runs.add(n)
			return nil
		}))
		pushAsAnotherProgram := func(n int) error {
			_, err := queue.Push(jobs.NewClient(rdb).Context(context.Background()), n)
			return err
		}
		redistest.Eventually(t, soon, "the queue to be known", func() bool { return pushAsAnotherProgram(1) == nil })
		runs.waitFor(t, 1, "the first job")
		if err := rdb.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		if err := pushAsAnotherProgram(2); err != nil && !errors.Is(err, jobs.ErrUnknownQueue) {
			t.Fatal(err)
		}
		redistest.Eventually(t, soon, "the queue to be known again", func() bool { return pushAsAnotherProgram(3) == nil })
		redistest.Eventually(t, soon, "the dashboard to list it", func() bool {
			names, err := inspect(rdb).Queues()
			return err == nil && len(names) == 1
		})
		redistest.Eventually(t, soon, "a job to run after that", func() bool {
			all := runs.all()
			return all[len(all)-1] == 3
		})
	})
}
