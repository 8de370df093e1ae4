package jobs_test

import (
	"context"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// BenchmarkThroughput is the time per job when many are waiting, without asynq
// beside it, for a profile.
func BenchmarkThroughput(b *testing.B) {
	rdb := redistest.Real(b).Client(b)
	queue := jobs.NewQueue[int]("plain")
	started := make(chan struct{}, 1000)
	handler := queue.Handle(func(context.Context, int) error { started <- struct{}{}; return nil }, jobs.Concurrency(50))
	ctx := clientContext(rdb, handler)
	if _, err := queue.PushMany(ctx, make([]int, b.N)); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	startWorker(b, rdb, handler)
	for range b.N {
		<-started
	}
}

// BenchmarkPush is the time of one push after the other.
func BenchmarkPush(b *testing.B) {
	rdb := redistest.Real(b).Client(b)
	queue := jobs.NewQueue[int]("plain")
	ctx := clientContext(rdb, queue.Handle(ignore[int]))
	for b.Loop() {
		if _, err := queue.Push(ctx, 1); err != nil {
			b.Fatal(err)
		}
	}
}
