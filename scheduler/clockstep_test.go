package scheduler_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// TestClockOfRedisThatIsAheadForAWhile: the ticks of the time that Redis' clock jumped
// over run when they come, and the one that ran early does not run again, although its
// job is forgotten.
func TestClockOfRedisThatIsAheadForAWhile(t *testing.T) {
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		t.Parallel()
		var ticks seen
		var log lines
		schedule := scheduler.New("pulse", "every second", func(ctx context.Context) error {
			r, _ := scheduler.FromContext(ctx)
			ticks.add(r)
			return nil
		}, scheduler.Overlap(scheduler.Allow))
		run(t, newWorker(rdb, schedule).Run)
		for range 2 {
			s := newScheduler(rdb, schedule)
			s.Logger = log.logger()
			s.SetBeat(20 * time.Millisecond)
			run(t, s.Run)
		}
		between := func(begin, end time.Time) (n int) {
			for _, r := range ticks.all() {
				if !r.At.Before(begin) && r.At.Before(end) {
					n++
				}
			}
			return n
		}
		start := time.Now()
		near, far := start.Add(30*time.Minute), start.Add(2*time.Hour)
		redistest.Eventually(t, 15*time.Second, "ticks", func() bool { return between(start, near) >= 2 })
		clock.Step(time.Hour)
		redistest.Eventually(t, 15*time.Second, "a tick that is early by an hour", func() bool { return between(near, far) >= 1 })
		clock.Step(-time.Hour)
		back := time.Now().Add(time.Second)
		redistest.Eventually(t, 20*time.Second, "the ticks to go on", func() bool { return between(back, near) >= 3 })
		all := ticks.all()
		early := all[len(all)-1].At
		for _, key := range rdb.Keys(t.Context(), "asynq:{schedules}:t:pulse:*").Val() {
			rdb.Del(t.Context(), key)
		}
		clock.Step(time.Until(early) - 3*time.Second) // Its time comes.
		redistest.Eventually(t, 20*time.Second, "the ticks after it", func() bool { return between(early.Add(time.Second), far) >= 2 })
		if n := between(early.Add(-2*time.Second), early); n == 0 {
			t.Error("the ticks before it were left out")
		}
		times := map[time.Time]int{}
		for _, r := range ticks.all() {
			if times[r.At]++; times[r.At] > 1 {
				t.Errorf("the tick of %v ran %d times", r.At, times[r.At])
			}
		}
		for _, what := range []string{"was set forward", "was set back", "before their time"} {
			if n := log.count(what); n == 0 || n > 10 {
				t.Errorf("the log says %d times that a clock %s", n, what)
			}
		}
	})
}

// TestClockOfRedisThatWentBack: what ran before its clock was set back does not run
// again, and the log says why nothing runs.
func TestClockOfRedisThatWentBack(t *testing.T) {
	redistest.EachWithClock(t, func(t *testing.T, rdb *redis.Client, clock *redistest.Clock) {
		t.Parallel()
		var log lines
		s := newScheduler(rdb, scheduler.New("pulse", "every second", nothing))
		s.Logger = log.logger()
		s.SetBeat(20 * time.Millisecond)
		run(t, s.Run)
		redistest.Eventually(t, 15*time.Second, "ticks", func() bool { return len(pushed(t, rdb)) >= 2 })
		clock.Step(-time.Hour)
		redistest.Eventually(t, 15*time.Second, "the log", func() bool { return log.count("before their time") == 1 })
		before := pushed(t, rdb)
		clock.Step(time.Hour)
		redistest.Eventually(t, 15*time.Second, "more ticks", func() bool { return len(pushed(t, rdb)) > len(before)+1 })
		for i, tick := range pushed(t, rdb)[:len(before)] {
			if tick != before[i] {
				t.Errorf("got %s, want %s", tick, before[i])
			}
		}
	})
}

// TestTimesFarInTheFutureAreNotBelieved: a schedule that was declared, and a leader that
// died, while Redis' clock was an hour ahead keep nothing waiting.
func TestTimesFarInTheFutureAreNotBelieved(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		ctx := t.Context()
		schedule := scheduler.New("pulse", "every second", nothing)
		declare(t, rdb, schedule)
		rdb.HSet(ctx, "queuerun:{schedules}:schedule:pulse", "from", time.Now().Add(time.Hour).Unix())
		rdb.HDel(ctx, "asynq:{schedules}:lines", "pulse")
		rdb.Set(ctx, "queuerun:{schedules}:leader", "dead", time.Hour)
		rdb.Del(ctx, "asynq:schedulers:{schedules}")
		run(t, newScheduler(rdb, schedule).Run)
		redistest.Eventually(t, 7*time.Second, "a tick", func() bool { return len(pushed(t, rdb)) > 0 })
		redistest.Eventually(t, 7*time.Second, "the new leader to list the schedules", func() bool {
			return rdb.Exists(ctx, "asynq:schedulers:{schedules}").Val() == 1
		})
	})
}

// TestDashboardWithAnotherClockShowsTheSchedules: asynq would ask for lists that
// expire later than its own machine's time.
func TestDashboardWithAnotherClockShowsTheSchedules(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		run(t, newScheduler(rdb, scheduler.New("pulse", "every second", nothing)).Run)
		tomorrow := fmt.Sprint(time.Now().Add(24 * time.Hour).Unix())
		redistest.Eventually(t, 15*time.Second, "the list", func() bool {
			keys := rdb.ZRangeArgs(t.Context(), redis.ZRangeArgs{Key: "asynq:schedulers", Start: tomorrow, Stop: "+inf", ByScore: true}).Val()
			return len(keys) == 1 && rdb.LLen(t.Context(), keys[0]).Val() == 1
		})
	})
}
