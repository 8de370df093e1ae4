package jobs_test

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if orders := os.Getenv(childVariable); orders != "" {
		os.Exit(childMain(orders))
	}
	goleak.VerifyTestMain(m)
}

// soon is how long a test waits for what takes milliseconds on an idle machine.
const soon = 20 * time.Second

// startWorker runs a worker with the handlers until the test ends, or until the
// function it returns is called, which gives Run's error.
func startWorker(t testing.TB, rdb redis.UniversalClient, handlers ...jobs.Handler) (stop func() error) {
	t.Helper()
	return runWorker(t, &jobs.Worker{Redis: rdb, Handlers: handlers, Drain: 5 * time.Second})
}

func runWorker(t testing.TB, w *jobs.Worker) (stop func() error) {
	t.Helper()
	if w.Logger == nil {
		w.Logger = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the worker stopped with: %v", err)
		}
	})
	return stop
}

// clientContext returns a context that pushes to rdb on behalf of a program
// with the handlers.
func clientContext(rdb redis.UniversalClient, handlers ...jobs.Handler) context.Context {
	client := jobs.NewClient(rdb)
	client.Handles = handlers
	return client.Context(context.Background())
}

// journal is a list that handlers write and tests read.
type journal[T any] struct {
	mu      sync.Mutex
	entries []T
}

func (j *journal[T]) add(entry T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, entry)
}

func (j *journal[T]) all() []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]T(nil), j.entries...)
}

func (j *journal[T]) waitFor(t testing.TB, n int, what string) []T {
	t.Helper()
	redistest.Eventually(t, soon, what, func() bool { return len(j.all()) >= n })
	return j.all()
}

// inspect returns asynq's inspector, which is what the dashboard uses.
func inspect(rdb redis.UniversalClient) *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(rdb)
}

// waitForState waits until a job is in a state of asynq's.
func waitForState(t testing.TB, rdb redis.UniversalClient, queue, id string, want asynq.TaskState) *asynq.TaskInfo {
	t.Helper()
	var info *asynq.TaskInfo
	redistest.Eventually(t, soon, "job "+id+" to be "+want.String(), func() bool {
		var err error
		info, err = inspect(rdb).GetTaskInfo(queue, id)
		return err == nil && info.State == want
	})
	return info
}

// waitUntilGone waits until a job has succeeded and is forgotten.
func waitUntilGone(t testing.TB, rdb redis.UniversalClient, queue string, ids ...string) {
	t.Helper()
	for _, id := range ids {
		redistest.Eventually(t, soon, "job "+id+" to be done", func() bool {
			return rdb.Exists(context.Background(), "asynq:{"+queue+"}:t:"+id).Val() == 0
		})
	}
}

// fast retries at once, for tests that are not about the waiting.
var fast = jobs.Backoff(func(int) time.Duration { return 0 })

// must returns the id of a push that has to work.
func must(t testing.TB) func(id string, err error) string {
	return func(id string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
}

func ignore[T any](context.Context, T) error { return nil }
