//go:build slow

package jobs_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestFIFOUnderFireForLong(t *testing.T) {
	underFire(t, fire{groups: 200, each: 200, kills: math.MaxInt, every: 5 * time.Second, takes: 20 * time.Millisecond, concurrency: 10})
}

func TestAStoppedPusherLosesNothingForLong(t *testing.T) {
	stopPusher(t, 1000, 30*time.Second)
}

func TestAJobThatKillsItsWorkersIsGivenUpWhenTheirLeasesEnd(t *testing.T) {
	killedByAPoisonJob(t, func(*redis.Client) {})
}

func TestRedisKilledManyTimes(t *testing.T) {
	for fsync, mayLose := range map[string]time.Duration{"always": 0, "everysec": syncWindow} {
		t.Run(fsync, func(t *testing.T) {
			crashRedis(t, crash{fsync: fsync, end: (*redistest.Server).Kill, times: 20, mayLose: mayLose})
		})
	}
}

func TestRedisStoppedManyTimes(t *testing.T) {
	crashRedis(t, crash{fsync: "everysec", end: (*redistest.Server).Stop, times: 20})
}

func TestALongOutageTakesNoJobFromAWorkerThatLives(t *testing.T) {
	t.Run("stopped", func(t *testing.T) { longOutage(t, (*redistest.Server).Stop, (*redistest.Server).Start) })
	t.Run("paused", func(t *testing.T) { longOutage(t, (*redistest.Server).Pause, (*redistest.Server).Continue) })
}

// longOutage takes Redis away for longer than the workers' leases last. They
// all live on, so no job is to be taken from any of them.
func longOutage(t *testing.T, leave, comeBack func(*redistest.Server)) {
	s := redistest.Real(t)
	rdb := s.Client(t)
	queue := jobs.NewQueue[int]("plain")
	var started journal[int]
	release := make(chan struct{})
	handler := queue.Handle(func(_ context.Context, n int) error {
		started.add(n)
		<-release
		return nil
	})
	for range crashWorkers {
		startWorker(t, s.Client(t), handler)
	}
	end := sync.OnceFunc(func() { close(release) })
	t.Cleanup(end)
	ctx := clientContext(rdb, handler)
	const n = 12 // More than one worker runs at a time.
	var ids []string
	for i := range n {
		ids = append(ids, must(t)(queue.Push(ctx, i)))
	}
	started.waitFor(t, n, "the jobs to start")

	const lease = 10 * time.Second
	leave(s)
	time.Sleep(lease + 2*time.Second) // The time is what is tested.
	comeBack(s)
	// A worker looks for the dead each time that it renews its lease.
	enough := float64(time.Now().Add(6*time.Second + lease).UnixMilli())
	redistest.Eventually(t, soon, "the workers to renew their leases", func() bool {
		leases := rdb.ZRangeWithScores(context.Background(), "queuerun:{workers}:live", 0, -1).Val()
		return len(leases) == crashWorkers && leases[0].Score > enough
	})
	end()
	waitUntilGone(t, rdb, "plain", ids...)
	expectOnceEach(t, started.all(), n)
}
