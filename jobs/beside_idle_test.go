package jobs_test

import (
	"context"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// BenchmarkBesideIdle is how many commands a second Redis carries out, those of
// scripts included, for a worker with 20 queues and nothing to do. Each side
// has a Redis of its own with nothing else on it.
func BenchmarkBesideIdle(b *testing.B) {
	const (
		settled = 5 * time.Second // connections are made, scripts are loaded
		watched = 25 * time.Second
	)
	queues := names("line.fifo", 20)
	ours, theirs := redistest.Real(b), redistest.Real(b)
	startWorker(b, ours.Client(b), handlersOf(queues, ignore[string])...)
	startAsynq(b, theirs.Addr, 0, queues, func(context.Context, *asynq.Task) error { return nil })
	sides := map[string]*redis.Client{"queuerun": ours.Client(b), "asynq": theirs.Client(b)}
	before, sum := map[string]int{}, map[string]int{}
	for _, rdb := range sides {
		commandsDone(b, rdb) // connects
	}
	time.Sleep(settled)
	began := time.Now()
	for name, rdb := range sides {
		before[name] = commandsDone(b, rdb)
	}
	for b.Loop() {
		time.Sleep(watched)
	}
	took := time.Since(began).Seconds()
	for name, rdb := range sides {
		sum[name] = commandsDone(b, rdb) - before[name] - 1 // The first INFO counts itself afterwards.
		b.ReportMetric(float64(sum[name])/took, name+"-commands/s")
	}
	b.ReportMetric(0, "ns/op")
}

var commandsLine = regexp.MustCompile(`total_commands_processed:(\d+)`)

func commandsDone(b *testing.B, rdb *redis.Client) int {
	b.Helper()
	info, err := rdb.Info(context.Background(), "stats").Result()
	if err != nil {
		b.Fatal(err)
	}
	found := commandsLine.FindStringSubmatch(info)
	if found == nil {
		b.Fatalf("no total_commands_processed in %q", info)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		b.Fatal(err)
	}
	return n
}
