package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

const (
	drained = 10_000 // jobs of a measured drain
	warmUp  = 1_000  // jobs that are done before the clock starts
)

// BenchmarkBesideDrain is how fast jobs that do nothing go through a worker
// with 19 empty queues beside the full one, and through asynq with the full one
// alone, or with the same 20.
func BenchmarkBesideDrain(b *testing.B) {
	b.Run("concurrency=10", func(b *testing.B) {
		compare(b,
			drainWorker("queuerun", "plain", drained, jobs.Concurrency(10)),
			drainAsynq("asynq", 1, drained, 10),
			drainAsynq("asynq-default", 1, drained, 0),
			drainAsynq("asynq-20-queues", 20, drained/5, 10))
	})
	b.Run("concurrency=50", func(b *testing.B) {
		compare(b,
			drainWorker("queuerun", "plain", drained, jobs.Concurrency(50)),
			drainAsynq("asynq", 1, drained, 50))
	})
}

// BenchmarkBesideFIFO drains 1,000 groups, beside a standard queue.
func BenchmarkBesideFIFO(b *testing.B) {
	compare(b, drainWorker("fifo", "line.fifo", drained), drainWorker("standard", "plain", drained))
}

// drainWorker drains n jobs of the queue with a worker that has 19 others.
func drainWorker(name, queue string, n int, options ...jobs.HandlerOption) contender {
	return contender{name, func(b *testing.B) float64 {
		server := redistest.Real(b)
		defer server.Stop()
		fill(b, server, queue, payloads(warmUp+n))
		c := newCountdown(n)
		handle := func(context.Context, string) error { c.handled(); return nil }
		stop := startWorker(b, server.Client(b), handlersOf(names(queue, 20), handle, options...)...)
		rate := c.rate(b)
		if err := stop(); err != nil {
			b.Fatal(err)
		}
		mustHaveRun(b, server, queue, warmUp+n)
		return rate
	}}
}

// drainAsynq drains n jobs with one server of asynq's that has so many queues.
func drainAsynq(name string, queues, n, concurrency int) contender {
	return contender{name, func(b *testing.B) float64 {
		server := redistest.Real(b)
		defer server.Stop()
		enqueueAll(b, asynqClient(b, server.Addr), "plain", payloads(warmUp+n))
		c := newCountdown(n)
		handle := func(context.Context, *asynq.Task) error { c.handled(); return nil }
		stop := startAsynq(b, server.Addr, concurrency, names("plain", queues), handle)
		rate := c.rate(b)
		stop()
		mustHaveRun(b, server, "plain", warmUp+n)
		return rate
	}}
}

// fill pushes the payloads, to a FIFO queue in 1,000 groups.
func fill(b *testing.B, server *redistest.Server, name string, payloads []string) {
	b.Helper()
	queue := jobs.NewQueue[string](name)
	ctx := clientContext(server.Client(b), queue.Handle(ignore[string]))
	byMany(b, payloads, func(i int, payload string) (err error) {
		if strings.HasSuffix(name, ".fifo") {
			_, err = queue.Group(fmt.Sprint(i%1000)).Push(ctx, payload)
		} else {
			_, err = queue.Push(ctx, payload)
		}
		return err
	})
}

// countdown times n jobs, and starts when others are done before them.
type countdown struct {
	n     int64
	done  atomic.Int64
	marks chan time.Time // its start and its end
}

func newCountdown(n int) *countdown { return &countdown{n: int64(n), marks: make(chan time.Time, 2)} }

func (c *countdown) handled() {
	if n := c.done.Add(1); n == warmUp || n == warmUp+c.n {
		c.marks <- time.Now()
	}
}

// rate returns jobs per second when all are done.
func (c *countdown) rate(b *testing.B) float64 {
	b.Helper()
	began := <-c.marks
	select {
	case end := <-c.marks:
		return float64(c.n) / end.Sub(began).Seconds()
	case <-time.After(2 * time.Minute):
		b.Fatalf("%d of %d jobs were handled in two minutes", c.done.Load(), warmUp+c.n)
		return 0
	}
}
