package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// BenchmarkBesidePickup is the time from the start of a push to the start of
// its handler on an idle worker, beside that of a PING: one after the same rest
// as the push, which finds connections and processors asleep as the push does,
// and a second one right after it, which is several times as fast.
func BenchmarkBesidePickup(b *testing.B) {
	b.Run("standard", func(b *testing.B) {
		queue := jobs.NewQueue[string]("plain")
		benchmarkPickup(b, queue, queue.Push)
	})
	b.Run("fifo", func(b *testing.B) {
		queue := jobs.NewQueue[string]("line.fifo")
		benchmarkPickup(b, queue, queue.Group("g").Push)
	})
	b.Run("asynq", benchmarkAsynqPickup)
}

func benchmarkPickup(b *testing.B, queue *jobs.Queue[string], push func(context.Context, string, ...jobs.PushOption) (string, error)) {
	rdb := redistest.Real(b).Client(b)
	p := pickups{rdb: rdb, started: make(chan time.Time, 1), jobs: 300, pause: 5 * time.Millisecond}
	handler := queue.Handle(func(context.Context, string) error { p.started <- time.Now(); return nil })
	p.queue = handler.Queue()
	ctx := clientContext(rdb, handler)
	p.push = func(payload string) error { _, err := push(ctx, payload); return err }
	startWorker(b, rdb, handler)
	p.measure(b)
}

func benchmarkAsynqPickup(b *testing.B) {
	server := redistest.Real(b)
	// The pause makes pushes come at any time between two looks of asynq's.
	p := pickups{rdb: server.Client(b), queue: "plain", started: make(chan time.Time, 1), jobs: 20, pause: time.Second}
	client := asynqClient(b, server.Addr)
	p.push = func(payload string) error {
		_, err := client.Enqueue(asynq.NewTask("plain", []byte(payload)), asynq.Queue("plain"))
		return err
	}
	startAsynq(b, server.Addr, 0, []string{"plain"}, func(context.Context, *asynq.Task) error { p.started <- time.Now(); return nil })
	p.measure(b)
}

// pickups pushes jobs one at a time, each when the worker is idle.
type pickups struct {
	rdb     *redis.Client
	queue   string
	push    func(payload string) error
	started chan time.Time // when the handler was entered
	jobs    int
	pause   time.Duration // longest one before a push

	pickup, ping, second []time.Duration
}

func (p *pickups) measure(b *testing.B) {
	p.one(b, "connects everything")
	p.pickup, p.ping, p.second = nil, nil, nil
	for b.Loop() {
		for range p.jobs {
			p.one(b, fmt.Sprint("job ", len(p.pickup))) // A FIFO queue ignores a repeated payload.
		}
	}
	pickup, ping := reportTimes(b, "pickup", p.pickup), reportTimes(b, "ping", p.ping)
	second := reportTimes(b, "second-ping", p.second)
	b.ReportMetric(float64(pickup)/float64(ping), "pickup/ping")
	b.ReportMetric(float64(pickup)/float64(second), "pickup/second-ping")
	b.ReportMetric(0, "ns/op")
}

// one measures one PING and one job, both when all has been quiet for a moment,
// and a PING when it has not.
func (p *pickups) one(b *testing.B, payload string) {
	ctx := context.Background()
	redistest.Eventually(b, soon, "the worker to be idle", func() bool {
		left, err := p.rdb.Exists(ctx, "asynq:{"+p.queue+"}:pending", "asynq:{"+p.queue+"}:active").Result()
		return err == nil && left == 0
	})
	rest(5 * time.Millisecond)
	p.ping = append(p.ping, p.pinged(b))
	p.second = append(p.second, p.pinged(b))

	rest(p.pause)
	began := time.Now()
	if err := p.push(payload); err != nil {
		b.Fatal(err)
	}
	p.pickup = append(p.pickup, (<-p.started).Sub(began))
}

func (p *pickups) pinged(b *testing.B) time.Duration {
	began := time.Now()
	if err := p.rdb.Ping(context.Background()).Err(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// rest lasts long enough for an idle worker to begin to wait.
func rest(atMost time.Duration) { time.Sleep(5*time.Millisecond + rand.N(atMost)) }
