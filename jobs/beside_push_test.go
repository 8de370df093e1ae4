package jobs_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

const (
	pushed  = 50_000 // jobs of a measured push
	pushers = 64     // goroutines, where one push is one job
)

// BenchmarkBesidePush compares PushMany with asynq's Enqueue, and for
// information with Push, which like Enqueue is called from 64 goroutines.
func BenchmarkBesidePush(b *testing.B) {
	compare(b,
		contender{"pushmany", func(b *testing.B) float64 {
			return timePushes(b, func(b *testing.B, server *redistest.Server) func([]string) {
				queue, ctx := pushTarget(b, server)
				return func(payloads []string) {
					if _, err := queue.PushMany(ctx, payloads); err != nil {
						b.Fatal(err)
					}
				}
			})
		}},
		contender{"asynq", func(b *testing.B) float64 {
			return timePushes(b, func(b *testing.B, server *redistest.Server) func([]string) {
				client := asynqClient(b, server.Addr)
				return func(payloads []string) { enqueueAll(b, client, "plain", payloads) }
			})
		}},
		contender{"push", func(b *testing.B) float64 {
			return timePushes(b, func(b *testing.B, server *redistest.Server) func([]string) {
				queue, ctx := pushTarget(b, server)
				return func(payloads []string) {
					byMany(b, payloads, func(_ int, payload string) error { _, err := queue.Push(ctx, payload); return err })
				}
			})
		}},
	)
}

func pushTarget(b *testing.B, server *redistest.Server) (*jobs.Queue[string], context.Context) {
	queue := jobs.NewQueue[string]("plain")
	return queue, clientContext(server.Client(b), queue.Handle(ignore[string]))
}

// timePushes returns jobs per second, once connections are there.
func timePushes(b *testing.B, pusher func(*testing.B, *redistest.Server) func(payloads []string)) float64 {
	server := redistest.Real(b)
	defer server.Stop()
	push, all := pusher(b, server), payloads(warmUp+pushed)
	push(all[:warmUp])
	began := time.Now()
	push(all[warmUp:])
	took := time.Since(began)
	info, err := inspect(server.Client(b)).GetQueueInfo("plain")
	if err != nil {
		b.Fatal(err)
	}
	if info.Pending != len(all) {
		b.Fatalf("pushed %d jobs, and %d are pending", len(all), info.Pending)
	}
	return pushed / took.Seconds()
}

func enqueueAll(b *testing.B, client *asynq.Client, queue string, payloads []string) {
	b.Helper()
	byMany(b, payloads, func(_ int, payload string) error {
		_, err := client.Enqueue(asynq.NewTask(queue, []byte(payload)), asynq.Queue(queue))
		return err
	})
}

// byMany pushes the payloads from many goroutines, each once.
func byMany(b *testing.B, payloads []string, push func(i int, payload string) error) {
	b.Helper()
	var next atomic.Int64
	var running sync.WaitGroup
	for range pushers {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(payloads); i = int(next.Add(1)) - 1 {
				if err := push(i, payloads[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if b.Failed() {
		b.FailNow()
	}
}
