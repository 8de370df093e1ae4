package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// The benchmarks named BenchmarkBeside put this package beside asynq alone, with
// asynq's defaults, on the same machine at the same time:
//
//	go test -run xxx -bench Beside -benchtime 1x ./jobs
//
// Both sides connect as a program would that took the defaults, have open
// connections when the clock starts, and log nothing.

// rounds is how often contenders take turns.
const rounds = 3

// contender is one side of a comparison; run returns jobs per second.
type contender struct {
	name string
	run  func(b *testing.B) float64
}

// compare lets the contenders take turns, so that noise of the machine hits all
// of them, and reports the median of each, and how many times as fast as each
// of the others the first one is.
func compare(b *testing.B, contenders ...contender) {
	rates := make([][]float64, len(contenders))
	for b.Loop() {
		for range rounds {
			for i, c := range contenders {
				rates[i] = append(rates[i], c.run(b))
			}
		}
	}
	for i, c := range contenders {
		slices.Sort(rates[i])
		b.Logf("%s: %.0f jobs/s", c.name, rates[i])
		b.ReportMetric(median(rates[i]), c.name+"-jobs/s")
		if i > 0 {
			b.ReportMetric(median(rates[0])/median(rates[i]), contenders[0].name+"/"+c.name)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func median(sorted []float64) float64 { return sorted[len(sorted)/2] }

// startAsynq runs a server of asynq's own until the benchmark ends or stop is
// called. Concurrency 0 is its default, the number of CPUs.
func startAsynq(b *testing.B, addr string, concurrency int, queues []string, handle asynq.HandlerFunc) (stop func()) {
	b.Helper()
	config := asynq.Config{Concurrency: concurrency, Queues: map[string]int{}, LogLevel: asynq.FatalLevel}
	for _, name := range queues {
		config.Queues[name] = 1
	}
	server := asynq.NewServer(asynq.RedisClientOpt{Addr: addr}, config)
	if err := server.Start(handle); err != nil {
		b.Fatal(err)
	}
	running := true
	stop = func() {
		if running {
			running = false
			server.Shutdown()
		}
	}
	b.Cleanup(stop)
	return stop
}

func asynqClient(b *testing.B, addr string) *asynq.Client {
	client := asynq.NewClient(asynq.RedisClientOpt{Addr: addr})
	b.Cleanup(func() { client.Close() })
	return client
}

// names returns a queue's name, and those of others up to n in all.
func names(first string, n int) []string {
	all := []string{first}
	for i := 1; i < n; i++ {
		all = append(all, fmt.Sprintf("other-%d", i))
	}
	return all
}

// handlersOf returns a handler for each queue, with the same function.
func handlersOf(queues []string, handle func(context.Context, string) error, options ...jobs.HandlerOption) []jobs.Handler {
	var handlers []jobs.Handler
	for _, name := range queues {
		handlers = append(handlers, jobs.NewQueue[string](name).Handle(handle, options...))
	}
	return handlers
}

// payloads returns n small payloads, all different.
func payloads(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint("job ", i)
	}
	return all
}

// mustHaveRun checks by asynq's own figures that the queue is empty and that
// each of its n jobs ran, and succeeded, once.
func mustHaveRun(b *testing.B, server *redistest.Server, queue string, n int) {
	b.Helper()
	info, err := inspect(server.Client(b)).GetQueueInfo(queue)
	if err != nil {
		b.Fatal(err)
	}
	if info.Size != 0 || info.ProcessedTotal != n || info.FailedTotal != 0 {
		b.Fatalf("%d jobs were pushed to %q, %d processed, %d failed, %d are left", n, queue, info.ProcessedTotal, info.FailedTotal, info.Size)
	}
}

// reportTimes reports the median and the 99th percentile in microseconds.
func reportTimes(b *testing.B, name string, times []time.Duration) (p50 time.Duration) {
	slices.Sort(times)
	p50 = times[len(times)/2]
	b.ReportMetric(float64(p50.Nanoseconds())/1000, name+"-p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1000, name+"-p99-µs")
	return p50
}
