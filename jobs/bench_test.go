package jobs_test

import (
	"context"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// BenchmarkPickup is the time from the start of a push to the start of its
// handler on an idle worker. Compare it with BenchmarkPing on the same machine.
func BenchmarkPickup(b *testing.B) {
	for _, name := range []string{"plain", "line.fifo"} {
		b.Run(name, func(b *testing.B) {
			rdb := redistest.Real(b).Client(b)
			queue := jobs.NewQueue[int](name)
			started := make(chan struct{})
			handler := queue.Handle(func(context.Context, int) error { started <- struct{}{}; return nil })
			startWorker(b, rdb, handler)
			ctx := clientContext(rdb, handler)
			push := queue.Push
			if name == "line.fifo" {
				push = queue.Group("g").Push
			}
			n := 0
			for b.Loop() {
				n++
				if _, err := push(ctx, n); err != nil {
					b.Fatal(err)
				}
				<-started
			}
		})
	}
}

// BenchmarkThroughput is the time per job when many are waiting.
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

func BenchmarkPing(b *testing.B) {
	rdb := redistest.Real(b).Client(b)
	for b.Loop() {
		if err := rdb.Ping(context.Background()).Err(); err != nil {
			b.Fatal(err)
		}
	}
}
