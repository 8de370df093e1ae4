package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestWorkerRefusesWrongFields(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[int]("q")
	nothing := ignore[int]
	for want, w := range map[string]*jobs.Worker{
		"Redis is nil":                  {},
		`prefix "a b"`:                  {Redis: rdb, Prefix: "a b"},
		"handler 0 has no queue":        {Redis: rdb, Handlers: []jobs.Handler{{}}},
		`queue "q" has two handlers`:    {Redis: rdb, Handlers: []jobs.Handler{queue.Handle(nothing), queue.Handle(nothing)}},
		`queue "q": the handler is nil`: {Redis: rdb, Handlers: []jobs.Handler{queue.Handle(nil)}},
		`queue "q": Timeout(0s)`:        {Redis: rdb, Handlers: []jobs.Handler{queue.Handle(nothing, jobs.Timeout(0))}},
		`queue "q": Concurrency(0)`:     {Redis: rdb, Handlers: []jobs.Handler{queue.Handle(nothing, jobs.Concurrency(0))}},
		`queue "q": Backoff(nil)`:       {Redis: rdb, Handlers: []jobs.Handler{queue.Handle(nothing, jobs.Backoff(nil))}},
		"start worker: use Redis: dial": {Redis: redistest.Client(t, "127.0.0.1:1"), Handlers: []jobs.Handler{queue.Handle(nothing)}},
	} {
		if err := w.Run(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Run returned %v, want an error with %q", err, want)
		}
	}
}

func TestWorkerWithoutHandlersWaitsToBeStopped(t *testing.T) {
	w := &jobs.Worker{Redis: redistest.Embedded(t)}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	select {
	case err := <-result:
		t.Errorf("Run returned %v by itself", err)
	case <-time.After(50 * time.Millisecond):
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
	}
	cancel()
}

func TestWorkerHandsItsValuesAndAClientToHandlers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		values := make(chan any, 1)
		handler := queue.Handle(func(ctx context.Context, n int) error {
			if n == 1 {
				_, err := queue.Push(ctx, 2)
				return err
			}
			values <- ctx.Value(valueKey{})
			return nil
		})
		w := &jobs.Worker{Redis: rdb, Prefix: "app", Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), valueKey{}, "of the app"))
		result := make(chan error)
		go func() { result <- w.Run(ctx) }()
		client := jobs.NewClient(rdb)
		client.Prefix, client.Handles = "app", w.Handlers
		must(t)(queue.Push(client.Context(context.Background()), 1))
		if got := <-values; got != "of the app" {
			t.Errorf("the handler's context has %v", got)
		}
		cancel()
		if err := <-result; err != nil {
			t.Error(err)
		}
		if keys := rdb.Keys(context.Background(), "asynq:{q}*").Val(); len(keys) > 0 {
			t.Errorf("keys without the prefix: %q", keys)
		}
	})
}

func TestWorkerDrainsRunningHandlers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		started, release := make(chan error, 1), make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			started <- ctx.Err()
			<-release
			started <- ctx.Err()
			return ctx.Err()
		}, jobs.Concurrency(1))
		w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.DiscardHandler), Drain: time.Minute}
		ctx, cancel := context.WithCancel(context.Background())
		result := make(chan error, 1)
		go func() { result <- w.Run(ctx) }()
		push := clientContext(rdb, handler)
		first := must(t)(queue.Push(push, 1))
		<-started
		cancel()
		second := must(t)(queue.Push(push, 2))
		close(release)
		if err := <-result; err != nil {
			t.Error(err)
		}
		if err := <-started; err != nil {
			t.Errorf("the handler's context was cancelled while it drained: %v", err)
		}
		waitUntilGone(t, rdb, "q", first)
		waitForState(t, rdb, "q", second, asynq.TaskStatePending)
	})
}

func TestWorkerGivesBackWhatDoesNotFinishInTime(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("line.fifo")
		causes := make(chan error, 1)
		started := make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			close(started)
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		}, jobs.Retries(0)) // Giving back is no failure, or this would be the archive.
		stop := runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Drain: time.Millisecond})
		id := must(t)(queue.Group("g").Push(clientContext(rdb, handler), 1))
		<-started
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if cause := <-causes; !errors.Is(cause, jobs.ErrStopping) {
			t.Errorf("cause %v, want ErrStopping", cause)
		}
		info := waitForState(t, rdb, "line.fifo", id, asynq.TaskStatePending)
		if info.Retried != 0 || info.LastErr != "" {
			t.Errorf("the job was charged: %d retries, error %q", info.Retried, info.LastErr)
		}
		attempts := make(chan int, 1)
		startWorker(t, rdb, queue.Handle(func(ctx context.Context, _ int) error {
			job, _ := jobs.FromContext(ctx)
			attempts <- job.Attempt
			return nil
		}))
		if got := <-attempts; got != 2 {
			t.Errorf("attempt %d, want 2: it counts starts", got)
		}
	})
}

func TestWorkerSaysWhenAHandlerDoesNotReturn(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[int]("q")
	started, release, returned := make(chan struct{}), make(chan struct{}), make(chan struct{})
	handler := queue.Handle(func(context.Context, int) error {
		close(started)
		<-release
		close(returned)
		return nil
	})
	w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.DiscardHandler), Drain: time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- w.Run(ctx) }()
	id := must(t)(queue.Push(clientContext(rdb, handler), 1))
	<-started
	cancel()
	if err := <-result; err == nil || !strings.Contains(err.Error(), "gave up on 1 handlers") {
		t.Errorf("Run returned %v", err)
	}
	// The handler may still be at work, so nobody else gets the job yet.
	waitForState(t, rdb, "q", id, asynq.TaskStateActive)
	close(release)
	<-returned
}

func TestWorkerRecoversWhenRedisWasAway(t *testing.T) {
	server := redistest.Real(t)
	rdb := server.Client(t)
	queue := jobs.NewQueue[int]("q")
	var seen journal[int]
	running, release := make(chan struct{}), make(chan struct{})
	handler := queue.Handle(func(_ context.Context, n int) error {
		if n == 1 {
			close(running)
			<-release
		}
		seen.add(n)
		return nil
	})
	startWorker(t, rdb, handler)
	ctx := clientContext(rdb, handler)
	first := must(t)(queue.Push(ctx, 1))
	<-running
	server.Kill()
	if _, err := queue.Push(ctx, 2); err == nil {
		t.Error("a push without Redis returned no error")
	}
	close(release) // The first job finishes while its outcome cannot be written.
	seen.waitFor(t, 1, "the first job")
	server.Start()
	waitUntilGone(t, rdb, "q", first)
	waitUntilGone(t, rdb, "q", must(t)(queue.Push(ctx, 3)))
	if got := seen.all(); len(got) != 2 || got[0] != 1 || got[1] != 3 {
		t.Errorf("jobs %v were run, want 1 and 3, once each", got)
	}
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// with returns the lines that have a text in them.
func (b *buffer) with(text string) (some []string) {
	for line := range strings.Lines(b.String()) {
		if strings.Contains(line, text) {
			some = append(some, line)
		}
	}
	return some
}

func (b *buffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.b.Reset()
}

func TestWorkerLogsEveryRun(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[int]("line.fifo")
	handler := queue.Handle(func(ctx context.Context, _ int) error {
		switch job, _ := jobs.FromContext(ctx); job.Attempt {
		case 1:
			return errors.New("no luck")
		case 2:
			panic("oh no")
		}
		return nil
	}, fast)
	var log buffer
	runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx := jobs.WithUserID(clientContext(rdb, handler), "ada")
	id := must(t)(queue.Group("g").Push(ctx, 1))
	redistest.Eventually(t, soon, "the log", func() bool { return strings.Contains(log.String(), "job finished") })
	for _, want := range []string{
		`msg="job started" queue=line.fifo job=` + id + ` attempt=1 group=g user=ada`,
		`msg="job failed" queue=line.fifo job=` + id + ` attempt=1 group=g user=ada duration=`,
		` error="no luck"`,
		`msg="handler panicked" queue=line.fifo job=` + id + ` panic="oh no" stack=`,
		`error="the handler panicked: oh no"`,
		`msg="job finished" queue=line.fifo job=` + id + ` attempt=3`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "asynq:") {
		t.Errorf("asynq's news are in the log:\n%s", log.String())
	}
}

func TestWorkerListsAQueueThatWasDeleted(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		handler := queue.Handle(ignore[int])
		ctx := clientContext(rdb, handler)
		startWorker(t, rdb, handler)
		waitUntilGone(t, rdb, "q", must(t)(queue.Push(ctx, 1)))
		if err := inspect(rdb).DeleteQueue("q", false); err != nil {
			t.Fatal(err)
		}
		later := must(t)(queue.Push(ctx, 2, jobs.In(time.Hour)))
		waitForState(t, rdb, "q", later, asynq.TaskStateScheduled)
	})
}
