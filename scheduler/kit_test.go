package scheduler_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if orders := os.Getenv(childVariable); orders != "" {
		if err := childMain(orders); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// run runs something until the test ends or the function it returns is called.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f(ctx); err != nil {
			t.Errorf("Run returned %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func newScheduler(rdb *redis.Client, schedules ...scheduler.Schedule) *scheduler.Scheduler {
	client := jobs.NewClient(rdb)
	client.Handles = []jobs.Handler{scheduler.Handler(schedules)}
	return &scheduler.Scheduler{Redis: rdb, Jobs: client, Schedules: schedules, Logger: slog.New(slog.DiscardHandler)}
}

func newWorker(rdb *redis.Client, schedules ...scheduler.Schedule) *jobs.Worker {
	return &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{scheduler.Handler(schedules)}, Logger: slog.New(slog.DiscardHandler)}
}

// seen collects the runs of a schedule.
type seen struct {
	mu   sync.Mutex
	runs []scheduler.Run
}

func (s *seen) add(r scheduler.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, r)
}

// all returns the runs so far, the earliest tick first.
func (s *seen) all() []scheduler.Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := slices.Clone(s.runs)
	slices.SortStableFunc(runs, func(a, b scheduler.Run) int { return a.At.Compare(b.At) })
	return runs
}
