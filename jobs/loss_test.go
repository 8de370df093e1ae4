package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The proxy cuts connections between the request and the reply, so that a
// client cannot know what became of it, and repeats it.

func TestLostRepliesOfPushNeitherDoubleNorLose(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		plain, fifo := jobs.NewQueue[int]("plain"), jobs.NewQueue[int]("line.fifo")
		var seen, seenInLine journal[int]
		handlers := []jobs.Handler{
			plain.Handle(func(_ context.Context, n int) error { seen.add(n); return nil }),
			fifo.Handle(func(_ context.Context, n int) error { seenInLine.add(n); return nil }),
		}
		startWorker(t, rdb, handlers...) // Directly: jobs are done before the push is repeated.
		ctx := clientContext(redistest.Client(t, proxy.Addr), handlers...)
		proxy.CutReplies(3, "evalsha", "eval")
		const jobsPushed = 60
		for n := range jobsPushed {
			var options []jobs.PushOption
			if n%2 == 0 {
				options = append(options, jobs.ID(fmt.Sprint("id-", n)))
			}
			must(t)(plain.Push(ctx, n, options...))
			must(t)(fifo.Group("g").Push(ctx, n))
		}
		if proxy.Cuts() < 20 {
			t.Errorf("only %d replies were cut", proxy.Cuts())
		}
		expectOnceEach(t, seen.waitFor(t, jobsPushed, "the plain jobs"), jobsPushed)
		for i, n := range seenInLine.waitFor(t, jobsPushed, "the jobs in line") {
			if n != i {
				t.Fatalf("job %d of the group was run as number %d", n, i)
			}
		}
	})
}

func TestLostRepliesToTheWorkerRunNoJobTwice(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		plain, fifo := jobs.NewQueue[int]("plain"), jobs.NewQueue[int]("line.fifo")
		var seen, seenInLine journal[int]
		handlers := []jobs.Handler{
			plain.Handle(func(_ context.Context, n int) error { seen.add(n); return nil }),
			fifo.Handle(func(_ context.Context, n int) error { seenInLine.add(n); return nil }),
		}
		ctx := clientContext(rdb, handlers...)
		// Dequeue, done and complete all lose replies, and go-redis repeats none.
		proxy.CutReplies(4, ":pending", ":active")
		proxied := redis.NewClient(&redis.Options{Addr: proxy.Addr, MaxRetries: -1})
		t.Cleanup(func() { proxied.Close() })
		startWorker(t, proxied, handlers...)
		const jobsPushed = 20
		var plainIDs, fifoIDs []string
		for n := range jobsPushed {
			plainIDs = append(plainIDs, must(t)(plain.Push(ctx, n)))
			fifoIDs = append(fifoIDs, must(t)(fifo.Group("g").Push(ctx, n)))
		}
		waitUntilGone(t, rdb, "plain", plainIDs...)
		waitUntilGone(t, rdb, "line.fifo", fifoIDs...)
		expectOnceEach(t, seen.all(), jobsPushed)
		expectOnceEach(t, seenInLine.all(), jobsPushed)
		if proxy.Cuts() < 10 {
			t.Errorf("only %d replies were cut", proxy.Cuts())
		}
	})
}

func TestLostRepliesToRetryAndArchiveCountOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		queue := jobs.NewQueue[int]("plain")
		handler := queue.Handle(func(context.Context, int) error { return fmt.Errorf("broken") }, jobs.Retries(2), fast)
		proxy.CutReplies(2, ":retry", ":archived")
		startWorker(t, redistest.Client(t, proxy.Addr), handler)
		id := must(t)(queue.Push(clientContext(rdb, handler), 1))
		info := waitForState(t, rdb, "plain", id, asynq.TaskStateArchived)
		if info.Retried != 2 {
			t.Errorf("retried %d times, want 2", info.Retried)
		}
		stats, err := inspect(rdb).GetQueueInfo("plain")
		if err != nil {
			t.Fatal(err)
		}
		if stats.Processed != 3 || stats.Failed != 3 || stats.ProcessedTotal != 3 || stats.FailedTotal != 3 || stats.Archived != 1 || stats.Active != 0 {
			t.Errorf("asynq's figures are %+v, want 3 processed and failed, 1 archived", stats)
		}
	})
}

func expectOnceEach(t *testing.T, got []int, n int) {
	t.Helper()
	times := map[int]int{}
	for _, job := range got {
		times[job]++
	}
	for job := range n {
		if times[job] != 1 {
			t.Errorf("job %d was run %d times", job, times[job])
		}
	}
}

func TestLostRepliesToDoneOfAKeptJobCountOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		queue := jobs.NewQueue[int]("plain")
		handler := queue.Handle(ignore[int])
		proxy.CutReplies(2, ":active")
		stop := startWorker(t, redistest.Client(t, proxy.Addr), handler)
		ctx := clientContext(rdb, handler)
		const pushed = 6
		for n := range pushed {
			id := must(t)(queue.Push(ctx, n, jobs.Retain(time.Hour)))
			waitForState(t, rdb, "plain", id, asynq.TaskStateCompleted)
		}
		if err := stop(); err != nil { // All repetitions are over then.
			t.Error(err)
		}
		stats, err := inspect(rdb).GetQueueInfo("plain")
		if err != nil {
			t.Fatal(err)
		}
		if stats.ProcessedTotal != pushed || proxy.Cuts() < 2 {
			t.Errorf("asynq's figures say that %d jobs were done, want %d; %d replies were cut", stats.ProcessedTotal, pushed, proxy.Cuts())
		}
	})
}

func TestLostReplyToARefusedPushIsRefusedAgain(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		proxy := redistest.NewProxy(t, rdb.Options().Addr)
		queue := jobs.NewQueue[int]("plain")
		ctx := clientContext(redistest.Client(t, proxy.Addr), queue.Handle(ignore[int]))
		must(t)(queue.Push(ctx, 1, jobs.ID("x")))
		proxy.CutReplies(2, "{plain}:push:")
		for range 2 {
			if _, err := queue.Push(ctx, 2, jobs.ID("x")); !errors.Is(err, jobs.ErrDuplicate) {
				t.Errorf("Push returned %v, want ErrDuplicate", err)
			}
		}
		if proxy.Cuts() == 0 {
			t.Error("no reply was cut")
		}
	})
}
