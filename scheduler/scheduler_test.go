package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// eachOnce fails the test unless the runs are those of all ticks between the first
// and the last, each once.
func eachOnce(t *testing.T, runs []scheduler.Run, interval time.Duration) {
	t.Helper()
	for i := 1; i < len(runs); i++ {
		if got := runs[i].At.Sub(runs[i-1].At); got != interval {
			t.Errorf("the tick after %v is %v later", runs[i-1].At, got)
		}
	}
}

func TestEachTickRunsOnceHoweverManySchedulersRun(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		var ticks seen
		schedule := scheduler.New("pulse", "@every 1s", func(ctx context.Context) error {
			tick, ok := scheduler.FromContext(ctx)
			if !ok {
				return errors.New("there is no Run in the context")
			}
			now, err := rdb.Time(ctx).Result()
			if err != nil {
				return err
			}
			if now.Before(tick.At) {
				t.Errorf("the tick of %v runs early, at %v", tick.At, now)
			}
			ticks.add(tick)
			return nil
			// A busy machine may hold up all of them for a second.
		}, scheduler.CatchUp(scheduler.All(100)), scheduler.Overlap(scheduler.Allow))
		run(t, newWorker(rdb, schedule).Run)
		var stops []func()
		for range 3 {
			stops = append(stops, run(t, newScheduler(rdb, schedule).Run))
		}
		count := func(n int) func() bool { return func() bool { return len(ticks.all()) >= n } }
		redistest.Eventually(t, 30*time.Second, "the third tick", count(3))
		stops[0]() // the others go on
		redistest.Eventually(t, 30*time.Second, "the sixth tick", count(6))
		stops[1]()
		stops[2]()
		runs := ticks.all()
		eachOnce(t, runs, time.Second)
		for _, r := range runs {
			if want := fmt.Sprintf("pulse:%d", r.At.Unix()); r.ID != want || r.Name != "pulse" || r.Cron != "@every 1s" {
				t.Errorf("got %+v, want id %s", r, want)
			}
		}
	})
}

func TestRunCarriesClientAndJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		follow := jobs.NewQueue[string]("follow")
		type key struct{}
		got := make(chan string, 10)
		schedule := scheduler.New("starter", "every second", func(ctx context.Context) error {
			job, _ := jobs.FromContext(ctx)
			tick, _ := scheduler.FromContext(ctx)
			deadline, ok := ctx.Deadline()
			if job.ID != tick.ID || job.Queue != scheduler.QueueName || !ok || time.Until(deadline) > time.Second {
				t.Errorf("got job %+v, tick %+v, deadline %v", job, tick, deadline)
			}
			if user := jobs.UserID(ctx); user != "" {
				t.Errorf("the current user is %q", user)
			}
			_, err := follow.Push(ctx, fmt.Sprint(ctx.Value(key{})))
			return err
		})
		worker := newWorker(rdb, schedule)
		worker.Handlers = append(worker.Handlers, follow.Handle(func(_ context.Context, s string) error {
			got <- s
			return nil
		}))
		client := jobs.NewClient(rdb)
		client.Handles = worker.Handlers
		run(t, func(ctx context.Context) error {
			return worker.Run(client.Context(context.WithValue(ctx, key{}, "from Run")))
		})
		run(t, newScheduler(rdb, schedule).Run)
		if s := <-got; s != "from Run" {
			t.Errorf("got %q", s)
		}
	})
}

func TestFailedRunIsKeptAndNotRetried(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		late := make(chan error, 100)
		schedules := []scheduler.Schedule{
			scheduler.New("fails", "every second", func(context.Context) error { return errors.New("no coffee") }),
			scheduler.New("hangs", "every second", func(ctx context.Context) error {
				<-ctx.Done()
				late <- context.Cause(ctx)
				return nil
			}, scheduler.Timeout(50*time.Millisecond)),
		}
		run(t, newWorker(rdb, schedules...).Run)
		stop := run(t, newScheduler(rdb, schedules...).Run)
		wants := map[string]string{
			"fails:": `schedule "fails": no coffee`,
			"hangs:": `schedule "hangs": the job's time-out passed (50ms)`,
		}
		inspector := asynq.NewInspectorFromRedisClient(rdb)
		archived := func() map[string]*asynq.TaskInfo {
			tasks, _ := inspector.ListArchivedTasks(scheduler.QueueName)
			found := map[string]*asynq.TaskInfo{}
			for _, task := range tasks {
				for id := range wants {
					if strings.HasPrefix(task.ID, id) {
						found[id] = task
					}
				}
			}
			return found
		}
		redistest.Eventually(t, 15*time.Second, "a failed run of each schedule", func() bool { return len(archived()) == len(wants) })
		stop()
		for id, task := range archived() {
			if task.LastErr != wants[id] || task.Retried != 0 {
				t.Errorf("%s: got error %q after %d retries, want %q", task.ID, task.LastErr, task.Retried, wants[id])
			}
		}
		if err := <-late; !errors.Is(err, jobs.ErrTimeout) {
			t.Errorf("the cause of the cancellation is %v", err)
		}
	})
}

func TestSchedulerRefusesWhatIsWrong(t *testing.T) {
	rdb := redistest.Embedded(t)
	s := newScheduler(rdb, scheduler.New("report", "sometimes", func(context.Context) error { return nil }))
	err := s.Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), `schedule "report", spec "sometimes"`) {
		t.Errorf("got %v", err)
	}
}

func TestNeverRunsByItself(t *testing.T) {
	rdb := redistest.Embedded(t)
	var never, pulse seen
	schedules := []scheduler.Schedule{
		scheduler.New("never", "never", func(context.Context) error { never.add(scheduler.Run{}); return nil }),
		scheduler.New("pulse", "@every 1s", func(context.Context) error { pulse.add(scheduler.Run{}); return nil }),
	}
	run(t, newWorker(rdb, schedules...).Run)
	run(t, newScheduler(rdb, schedules...).Run)
	redistest.Eventually(t, 15*time.Second, "two ticks", func() bool { return len(pulse.all()) >= 2 })
	if n := len(never.all()); n != 0 {
		t.Errorf("it ran %d times", n)
	}
}

func TestFromContextOutsideARun(t *testing.T) {
	if tick, ok := scheduler.FromContext(t.Context()); ok {
		t.Errorf("got %+v", tick)
	}
}
