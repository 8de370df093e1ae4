package scheduler_test

import (
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
)

// After a fail-over Redis may know of an older cursor, and of no job.
func TestRedisThatWentBackMakesNoSchedulerRepeatTicks(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	redis := simulate(t, start)
	s := newScheduler(redis.rdb, scheduler.New("report", "* * * * *", nothing, scheduler.CatchUp(scheduler.All(100))))
	s.SetBeat(5 * time.Millisecond)
	run(t, s.Run)
	redistest.Eventually(t, 15*time.Second, "the scheduler", func() bool { return redis.Exists("asynq:schedulers:{schedules}") })
	pushedAre := func(want string) {
		t.Helper()
		redistest.Eventually(t, 15*time.Second, want, func() bool {
			all := pushed(t, redis.rdb)
			return len(all) == 1 && all[0] == want
		})
	}
	redis.SetTime(start.Add(time.Minute))
	pushedAre("report 10:01:00")
	for _, key := range redis.Keys() {
		redis.Del(key) // Everything is gone, even that the schedule was declared.
	}
	redis.SetTime(start.Add(2 * time.Minute))
	redistest.Eventually(t, 15*time.Second, "the schedule to be declared again", func() bool {
		return redis.HGet("queuerun:{schedules}:schedule:report", "v") != ""
	})
	pushedAre("report 10:02:00") // It goes on where it was.
	redis.Del("asynq:{schedules}:pending")
	redis.SetTime(start.Add(3 * time.Minute))
	pushedAre("report 10:03:00")
	redis.HSet("asynq:{schedules}:lines", "report", "1") // An old cursor,
	redis.HSet("queuerun:{schedules}:schedule:report", "from", "1")
	redis.Del("asynq:{schedules}:pending")
	redis.Del("asynq:{schedules}:t:report:1772618580") // and no job.
	redis.SetTime(start.Add(4 * time.Minute))
	pushedAre("report 10:04:00")
}
