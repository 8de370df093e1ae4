package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

func nothing(context.Context) error { return nil }

// simulated is a Redis whose clock the test sets.
type simulated struct {
	*miniredis.Miniredis
	rdb *redis.Client
}

func simulate(t *testing.T, now time.Time) simulated {
	t.Helper()
	mini := miniredis.RunT(t)
	mini.SetTime(now)
	return simulated{mini, redistest.Client(t, mini.Addr())}
}

// pushed returns the ticks that are in the queue, as "name hh:mm:ss", in order.
func pushed(t testing.TB, rdb *redis.Client) []string {
	t.Helper()
	var all []string
	ids := rdb.LRange(t.Context(), "asynq:{schedules}:pending", 0, -1).Val()
	// Those that wait for their turn are scheduled, as asynq has it.
	for _, id := range append(ids, rdb.ZRange(t.Context(), "asynq:{schedules}:scheduled", 0, -1).Val()...) {
		info, err := jobs.NewClient(rdb).Get(t.Context(), scheduler.QueueName, id)
		if err != nil {
			t.Fatal(err)
		}
		var tick struct {
			Name string
			At   int64
		}
		if tick, err = jobs.NewQueue[struct {
			Name string
			At   int64
		}](scheduler.QueueName).Decode(info.Payload); err != nil {
			t.Fatal(err)
		}
		all = append(all, tick.Name+" "+time.Unix(tick.At, 0).UTC().Format(time.TimeOnly))
	}
	slices.Sort(all)
	return all
}

// rounds lets a scheduler run until it has looked at its schedules.
func rounds(t *testing.T, rdb *redis.Client, schedules ...scheduler.Schedule) {
	t.Helper()
	// This one ticks for sure in each run of the scheduler that is some minutes after
	// another, and is pushed together with the others.
	schedules = append(schedules, scheduler.New("~", "* * * * *", nothing, scheduler.CatchUp(scheduler.Latest)))
	first := rdb.HGet(t.Context(), "queuerun:{schedules}:schedule:~", "declared").Val() == ""
	before := rdb.HGet(t.Context(), "asynq:{schedules}:lines", "~").Val()
	stop := run(t, newScheduler(rdb, schedules...).Run)
	redistest.Eventually(t, 15*time.Second, "the scheduler to see to its schedules", func() bool {
		if first {
			return rdb.Exists(t.Context(), "asynq:schedulers:{schedules}").Val() == 1 // Its first round is over.
		}
		return rdb.HGet(t.Context(), "asynq:{schedules}:lines", "~").Val() != before
	})
	stop()
}

func without(all []string, name string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s[:len(name)+1] == name+" " })
}

// The program is away for ten minutes. That it was there before is what the cursor
// in Redis says.
func TestTicksMissedWhileTheProgramWasAway(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	redis := simulate(t, start)
	schedules := []scheduler.Schedule{
		scheduler.New("skip", "* * * * *", nothing, scheduler.CatchUp(scheduler.Skip)),
		scheduler.New("latest", "* * * * *", nothing, scheduler.CatchUp(scheduler.Latest)),
		scheduler.New("all3", "* * * * *", nothing, scheduler.CatchUp(scheduler.All(3))),
		scheduler.New("all99", "*/2 * * * *", nothing, scheduler.CatchUp(scheduler.All(99))),
		scheduler.New("default", "* * * * *", nothing),
		scheduler.New("default, too old", "2,3 10 * * *", nothing),
		scheduler.New("latest, old", "2,3 10 * * *", nothing, scheduler.CatchUp(scheduler.Latest)),
		scheduler.New("hourly", "hourly", nothing),
		scheduler.New("never", "never", nothing),
	}
	rounds(t, redis.rdb, schedules...)
	if got := pushed(t, redis.rdb); len(got) != 0 {
		t.Errorf("ticks of the past: %v", got)
	}
	redis.SetTime(start.Add(10*time.Minute + 15*time.Second)) // 10:10:45
	rounds(t, redis.rdb, schedules...)
	want := []string{
		"all3 10:08:00", "all3 10:09:00", "all3 10:10:00",
		"all99 10:02:00", "all99 10:04:00", "all99 10:06:00", "all99 10:08:00", "all99 10:10:00",
		"default 10:10:00", "latest 10:10:00", "latest, old 10:03:00",
	}
	if got := without(pushed(t, redis.rdb), "~"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	// Again, and nothing more.
	redis.SetTime(start.Add(11*time.Minute - 25*time.Second)) // 10:11:05
	rounds(t, redis.rdb, schedules...)
	want = append(want, "all3 10:11:00", "default 10:11:00", "latest 10:11:00", "skip 10:11:00")
	slices.Sort(want)
	if got := without(pushed(t, redis.rdb), "~"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// Ticks that are caught up with together do not count as runs that overlap.
func TestTicksThatAreCaughtUpWithDoNotSkipOneAnother(t *testing.T) {
	start := time.Date(2026, time.March, 4, 10, 0, 30, 0, time.UTC)
	redis := simulate(t, start)
	h := newHeld()
	schedule := scheduler.New("report", "* * * * *", h.run, scheduler.CatchUp(scheduler.All(10)))
	rounds(t, redis.rdb, schedule)
	redis.SetTime(start.Add(4 * time.Minute))
	rounds(t, redis.rdb, schedule)
	run(t, newWorker(redis.rdb, schedule, scheduler.New("~", "* * * * *", nothing)).Run)
	for _, minute := range []int{1, 2, 3, 4} {
		want := fmt.Sprintf("report:%d", time.Date(2026, time.March, 4, 10, minute, 0, 0, time.UTC).Unix())
		if id := <-h.began; id != want {
			t.Errorf("%s began, want %s", id, want)
		}
		h.release <- ""
	}
	if n := h.most.Load(); n != 1 {
		t.Errorf("%d went on side by side", n)
	}
}

// testRedisAway stops Redis for a while, with schedulers and workers running on.
func testRedisAway(t *testing.T, away time.Duration) {
	server := redistest.Real(t, redistest.AppendFsync("always"))
	rdb := server.Client(t)
	var lists [4]seen
	names := []string{"skip", "latest", "all", "all2"}
	var schedules []scheduler.Schedule
	for i, policy := range []scheduler.Policy{scheduler.Skip, scheduler.Latest, scheduler.All(1000), scheduler.All(2)} {
		schedules = append(schedules, scheduler.New(names[i], "every 2 seconds", func(ctx context.Context) error {
			tick, _ := scheduler.FromContext(ctx)
			lists[i].add(tick)
			return nil
		}, scheduler.CatchUp(policy), scheduler.Overlap(scheduler.Allow)))
	}
	run(t, newWorker(rdb, schedules...).Run)
	for range 2 {
		run(t, newScheduler(rdb, schedules...).Run)
	}
	ran := func(i, n int) func() bool { return func() bool { return len(lists[i].all()) >= n } }
	for i := range lists {
		redistest.Eventually(t, 15*time.Second, "a tick of "+names[i], ran(i, 1))
	}
	server.Stop()
	stopped := time.Now()
	before := [4]int{}
	for i := range lists {
		before[i] = len(lists[i].all())
	}
	<-time.After(away) // This is the test.
	server.Start()
	back := time.Now()
	for i := range lists {
		redistest.Eventually(t, 30*time.Second, "ticks of "+names[i]+" after Redis came back", func() bool {
			runs := lists[i].all()
			return runs[len(runs)-1].At.After(back.Add(4 * time.Second))
		})
		runs := lists[i].all()
		if names[i] == "all" {
			eachOnce(t, runs, 2*time.Second)
			continue
		}
		// Between the last tick before and the first look after, nothing was run but
		// the last of the missed ticks.
		gaps, missed := 0, 0
		for n := 1; n < len(runs); n++ {
			switch gap := runs[n].At.Sub(runs[n-1].At); {
			case gap <= 0:
				t.Errorf("%s: tick %v was run twice", names[i], runs[n].At)
			case gap > 2*time.Second:
				gaps++
			}
			if at := runs[n].At; at.After(stopped.Add(time.Second)) && at.Before(back.Add(-2*time.Second)) {
				missed++
			}
		}
		if most := map[string]int{"skip": 0, "latest": 0, "all2": 1}[names[i]]; gaps != 1 || missed > most {
			t.Errorf("%s: %d gaps, and %d ticks of the time between were run, at most %d wanted: %v", names[i], gaps, missed, most, fmt.Sprint(runs))
		}
	}
}

func TestTicksMissedWhileRedisWasAway(t *testing.T) {
	t.Parallel()
	testRedisAway(t, 7*time.Second)
}
