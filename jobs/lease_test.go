package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

const (
	liveKey = "queuerun:{workers}:live"
	deadKey = "queuerun:{workers}:dead:" // followed by the queue
)

// Others take a worker for dead queue by queue.
func TestLeaseIsLostWithAnyOfItsQueues(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		first, last := jobs.NewQueue[int]("first"), jobs.NewQueue[int]("last")
		var causes, starts journal[error]
		handlers := []jobs.Handler{
			first.Handle(ignore[int]),
			last.Handle(func(ctx context.Context, _ int) error {
				job, _ := jobs.FromContext(ctx)
				starts.add(nil)
				if job.Attempt > 1 {
					return nil
				}
				<-ctx.Done()
				if len(starts.all()) > 1 {
					t.Error("the job was started beside itself")
				}
				causes.add(context.Cause(ctx))
				return ctx.Err()
			}, jobs.Concurrency(1)), // So that no look for more jobs tells it.
		}
		startWorker(t, rdb, handlers...)
		ctx := clientContext(rdb, handlers...)
		id := must(t)(last.Push(ctx, 1))
		redistest.Eventually(t, soon, "the start", func() bool { return len(starts.all()) > 0 })
		for _, member := range rdb.ZRange(ctx, liveKey, 0, -1).Val() {
			if worker, ok := strings.CutSuffix(member, " last"); ok {
				rdb.ZAdd(ctx, deadKey+"last", redis.Z{Score: 1, Member: worker})
				rdb.ZRem(ctx, liveKey, member)
			}
		}
		if cause := causes.waitFor(t, 1, "the handler to hear of it")[0]; !errors.Is(cause, jobs.ErrLeaseLost) {
			t.Errorf("cause %v, want ErrLeaseLost", cause)
		}
		waitUntilGone(t, rdb, "last", id)
	})
}

func TestOneQueueThatCannotBeRecoveredDoesNotKeepBackOthers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		broken, fine := jobs.NewQueue[int]("broken"), jobs.NewQueue[int]("fine")
		startWorker(t, rdb, broken.Handle(ignore[int]), fine.Handle(ignore[int]))
		ctx := context.Background()
		rdb.Set(ctx, "asynq:{broken}:active", "no list", 0)
		rdb.ZAdd(ctx, deadKey+"broken", redis.Z{Score: 1, Member: "x"})
		rdb.ZAdd(ctx, deadKey+"fine", redis.Z{Score: 2, Member: "x"})
		redistest.Eventually(t, soon, "the other queue to be recovered", func() bool {
			return rdb.Exists(ctx, deadKey+"fine").Val() == 0
		})
		if rdb.ZCard(ctx, deadKey+"broken").Val() != 1 {
			t.Error("the queue that cannot be recovered was forgotten")
		}
	})
}

// The dead of queues that nobody handles any more are not in the way of others.
func TestManyDeadOfOtherQueuesDoNotKeepAKilledWorkersJobsBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		ctx := context.Background()
		for i := range 3000 {
			// Some were found dead before, of others the lease is just over.
			rdb.ZAdd(ctx, deadKey+"gone", redis.Z{Score: 1, Member: fmt.Sprint("w", i)})
			rdb.ZAdd(ctx, liveKey, redis.Z{Score: float64(i + 1), Member: fmt.Sprintf("v%d forgotten", i)})
		}
		victim := startWorkerProcess(t, rdb, "victim", 0)
		all := pushHeld(t, rdb, 1)
		startWorkerProcess(t, rdb, "heir", 0)
		victim.kill()
		for _, h := range all {
			if second := waitForNotes(t, rdb, 2*takeOver, h.line, "start", 2)[1]; second.Worker != "heir" {
				t.Errorf("%s: run again as %+v", h.line, second)
			}
		}
		release(t, rdb, "heir")
	})
}
