//go:build slow

package jobs_test

import (
	"math"
	"testing"
	"time"

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
