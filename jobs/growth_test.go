package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// The benchmarks named BenchmarkGrowth show what a step costs Redis when a line or
// a number of groups grows:
//
//	go test -run xxx -bench Growth -benchtime 1x -timeout 30m ./jobs

var sizes = []int{100, 10_000, 100_000}

// growing is a real Redis that does nothing by itself: rewriting its append-only
// file, in a process that shares its memory, would make each step slower.
func growing(b *testing.B) *redis.Client {
	rdb := redistest.Real(b).Client(b)
	if err := rdb.ConfigSet(b.Context(), "auto-aof-rewrite-percentage", "0").Err(); err != nil {
		b.Fatal(err)
	}
	return rdb
}

// BenchmarkGrowthCancel cancels jobs in the middle of a line, delayed jobs beside
// one, and jobs in the middle of a group.
func BenchmarkGrowthCancel(b *testing.B) {
	const cancelled = 20
	for _, size := range sizes {
		for _, where := range []string{"line", "delayed", "group"} {
			b.Run(fmt.Sprintf("%s/%d", where, size), func(b *testing.B) {
				rdb := growing(b)
				plain, group := jobs.NewQueue[int]("q"), jobs.NewQueue[int]("q.fifo")
				ctx := clientContext(rdb, plain.Handle(ignore[int]), group.Handle(ignore[int]))
				name, push := "q", func(n int) ([]string, error) { return plain.PushMany(ctx, make([]int, n)) }
				if where == "group" {
					next := 0
					name, push = "q.fifo", func(n int) ([]string, error) {
						payloads := make([]int, n)
						for i := range payloads {
							next++
							payloads[i] = next
						}
						return group.Group("g").PushMany(ctx, payloads)
					}
				}
				client, err := jobs.ClientFrom(ctx)
				if err != nil {
					b.Fatal(err)
				}
				_, err1 := push(size / 2)
				ids, err2 := push(cancelled)
				if where == "delayed" {
					ids, err2 = plain.PushMany(ctx, make([]int, cancelled), jobs.In(time.Hour))
				}
				_, err3 := push(size / 2)
				if err := errors.Join(err1, err2, err3); err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					before := scriptTime(b, rdb)
					for _, id := range ids {
						if err := client.Cancel(ctx, name, id); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64((scriptTime(b, rdb)-before).Microseconds())/cancelled, "redis-µs/cancel")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkGrowthRunAll lets a worker work a group off whose jobs were all run by
// hand, and notes the longest time for which Redis did nothing else.
func BenchmarkGrowthRunAll(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			rdb := growing(b)
			queue := jobs.NewQueue[int]("q.fifo")
			ctx := clientContext(rdb, queue.Handle(ignore[int]))
			payloads := make([]int, size)
			for i := range payloads {
				payloads[i] = i
			}
			if _, err := queue.Group("g").PushMany(ctx, payloads); err != nil {
				b.Fatal(err)
			}
			if _, err := inspect(rdb).RunAllScheduledTasks("q.fifo"); err != nil {
				b.Fatal(err)
			}
			rdb.ConfigSet(ctx, "slowlog-log-slower-than", "1000")
			rdb.Do(ctx, "SLOWLOG", "RESET")
			before, began := scriptTime(b, rdb), time.Now()
			stop := startWorker(b, rdb, queue.Handle(func(ctx context.Context, _ int) error {
				<-ctx.Done() // Only what is out of turn is seen to.
				return ctx.Err()
			}, jobs.Timeout(time.Hour)))
			for b.Loop() {
				limit := time.After(3 * time.Minute)
			seen:
				for rdb.LLen(ctx, "asynq:{q.fifo}:pending").Val() > 0 {
					select {
					case <-limit:
						b.Logf("%d jobs are not seen to after 3 minutes", rdb.LLen(ctx, "asynq:{q.fifo}:pending").Val())
						break seen
					case <-time.After(50 * time.Millisecond):
					}
				}
			}
			b.ReportMetric(time.Since(began).Seconds(), "s")
			b.ReportMetric(float64((scriptTime(b, rdb)-before).Microseconds())/float64(size), "redis-µs/job")
			var longest time.Duration
			for _, slow := range rdb.SlowLogGet(ctx, 1000).Val() {
				longest = max(longest, slow.Duration)
			}
			b.ReportMetric(float64(longest.Microseconds())/1000, "longest-ms")
			b.ReportMetric(0, "ns/op")
			_ = stop()
		})
	}
}

// BenchmarkGrowthIdleGroups is the share of Redis' time that workers take for
// groups in which nothing happens, beside what Redis takes for itself (workers=0).
func BenchmarkGrowthIdleGroups(b *testing.B) {
	const settled, watched = 8 * time.Second, 20 * time.Second
	for _, size := range sizes {
		for _, workers := range []int{0, 1, 4} {
			b.Run(fmt.Sprintf("%d/workers=%d", size, workers), func(b *testing.B) {
				rdb := growing(b)
				queue := jobs.NewQueue[int]("q.fifo")
				// Each group has a job that failed and waits for its retry.
				handler := queue.Handle(ignore[int])
				ctx := clientContext(rdb, handler)
				holdGroups(b, ctx, rdb, queue, size)
				for range workers {
					startWorker(b, rdb, handler)
				}
				time.Sleep(settled)
				for b.Loop() {
					before, began := cpuTime(b, rdb), time.Now()
					time.Sleep(watched)
					b.ReportMetric(100*(cpuTime(b, rdb)-before).Seconds()/time.Since(began).Seconds(), "%-of-Redis")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// holdGroups makes groups of one job each that waits for a retry in an hour.
func holdGroups(b *testing.B, ctx context.Context, rdb *redis.Client, queue *jobs.Queue[int], size int) {
	b.Helper()
	var pushes errgroup.Group
	pushes.SetLimit(32)
	for n := range size {
		pushes.Go(func() error { return second(queue.Group(fmt.Sprint(n)).Push(ctx, n)) })
	}
	if err := pushes.Wait(); err != nil {
		b.Fatal(err)
	}
	const hold = `
local ids = redis.call("LRANGE", "asynq:{q.fifo}:pending", 0, 999)
for _, id in ipairs(ids) do
	redis.call("HSET", "asynq:{q.fifo}:t:" .. id, "state", "retry")
	redis.call("ZADD", "asynq:{q.fifo}:retry", ARGV[1], id)
	redis.call("ZADD", "asynq:{q.fifo}:due", ARGV[1] .. "000", id)
end
redis.call("LTRIM", "asynq:{q.fifo}:pending", 1000, -1)
return #ids`
	for {
		n, err := rdb.Eval(ctx, hold, []string{"asynq:{q.fifo}:pending"}, time.Now().Add(time.Hour).Unix()).Int()
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}

// BenchmarkGrowthDead is the time until the jobs of a worker that was taken for dead
// are back in line, beside running jobs of others.
func BenchmarkGrowthDead(b *testing.B) {
	for _, size := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("running=%d", size), func(b *testing.B) {
			rdb := growing(b)
			queue := jobs.NewQueue[int]("q")
			handler := queue.Handle(func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
				jobs.Concurrency(size), jobs.Timeout(time.Hour))
			ctx := clientContext(rdb, handler)
			if _, err := queue.PushMany(ctx, make([]int, size)); err != nil {
				b.Fatal(err)
			}
			stop := runWorker(b, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Drain: time.Millisecond})
			redistest.Eventually(b, time.Minute, "all to run", func() bool { return rdb.LLen(ctx, "asynq:{q}:active").Val() == int64(size) })
			rdb.ConfigSet(ctx, "slowlog-log-slower-than", "0")
			before := scriptTime(b, rdb)
			for b.Loop() {
				rdb.ZAdd(ctx, "queuerun:{workers}:dead", redis.Z{Score: 1, Member: "nobody q"})
				rdb.ZAdd(ctx, "queuerun:{workers}:dead:q", redis.Z{Score: 1, Member: "nobody"})
				redistest.Eventually(b, time.Minute, "the recovery", func() bool { return rdb.Exists(ctx, "asynq:{q}:gone:nobody").Val() == 1 })
			}
			b.ReportMetric(float64((scriptTime(b, rdb)-before).Microseconds())/1000, "redis-ms")
			b.ReportMetric(0, "ns/op")
			_ = stop()
		})
	}
}

var scriptLine = regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=\d+,usec=(\d+)`)

// scriptTime is the time that Redis has spent in scripts.
func scriptTime(b *testing.B, rdb *redis.Client) (sum time.Duration) {
	b.Helper()
	info, err := rdb.Info(context.Background(), "commandstats").Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, found := range scriptLine.FindAllStringSubmatch(info, -1) {
		n, err := strconv.Atoi(found[1])
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(n) * time.Microsecond
	}
	return sum
}

var cpuLine = regexp.MustCompile(`used_cpu_(?:sys|user)_main_thread:([0-9.]+)`)

// cpuTime is the time that the main thread of Redis was at work.
func cpuTime(b *testing.B, rdb *redis.Client) (sum time.Duration) {
	b.Helper()
	info, err := rdb.Info(context.Background(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, found := range cpuLine.FindAllStringSubmatch(info, -1) {
		seconds, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum
}
