package scheduler_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// lateness runs three schedulers of 500 schedules that are due at the same times,
// and returns how late each tick was in the queue, by Redis' clock and at most.
func lateness(t *testing.T, spec string, interval time.Duration, ticks int) []time.Duration {
	const many = 500
	server := redistest.Real(t)
	rdb := server.Client(t)
	var schedules []scheduler.Schedule
	for i := range many {
		schedules = append(schedules, scheduler.New(fmt.Sprint("report ", i), spec, nothing))
	}
	for range 3 {
		run(t, newScheduler(server.Client(t), schedules...).Run)
	}
	eventually(t, "the schedules to be known", func() bool {
		return rdb.SCard(t.Context(), "queuerun:{schedules}:names").Val() == many
	})
	var late []time.Duration
	limit := time.Now().Add(time.Duration(ticks+1)*interval + 30*time.Second)
	for len(late) < ticks*many {
		pipe := rdb.Pipeline()
		waiting, clock := pipe.LLen(t.Context(), "asynq:{schedules}:pending"), pipe.Time(t.Context())
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		now := clock.Val()
		for len(late) < int(waiting.Val()) {
			late = append(late, now.Sub(now.Truncate(interval)))
		}
		if time.Now().After(limit) {
			t.Fatalf("%d ticks in the queue, want %d", len(late), ticks*many)
		}
	}
	checkEach(t, rdb, many, interval)
	slices.Sort(late)
	t.Logf("%d schedules, %d times: half of the ticks were in the queue within %v, 99 %% within %v, all within %v",
		many, ticks, late[len(late)/2], late[len(late)*99/100], late[len(late)-1])
	return late
}

// checkEach fails the test unless the queue has the same ticks of all schedules.
func checkEach(t *testing.T, rdb *redis.Client, many int, interval time.Duration) {
	t.Helper()
	count := map[string]int{} // by time
	for _, id := range rdb.LRange(t.Context(), "asynq:{schedules}:pending", 0, -1).Val() {
		var n int
		var at int64
		if _, err := fmt.Sscanf(id, "report %d:%d", &n, &at); err != nil {
			t.Fatal(err)
		}
		count[time.Unix(at, 0).UTC().Format(time.TimeOnly)]++
		if at%int64(interval/time.Second) != 0 {
			t.Errorf("a tick that is none: %s", id)
		}
	}
	for at, n := range count {
		if n != many {
			t.Errorf("%d schedules ticked at %s, want %d", n, at, many)
		}
	}
}

func TestManySchedulesAtTheSameTime(t *testing.T) {
	late := lateness(t, "every 4 seconds", 4*time.Second, 2)
	if most := late[len(late)-1]; most > time.Second {
		t.Errorf("the last of them was in the queue after %v", most)
	}
}
