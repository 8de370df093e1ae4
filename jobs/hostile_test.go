package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// typedNil is an error as a function returns it that declares its own type and
// forgets that nil of that is not nil: reading it panics.
type typedNil struct{ reason string }

func (e *typedNil) Error() string { return e.reason }

// askedIs panics when it is asked what it is, and can be read.
type askedIs struct{}

func (askedIs) Error() string   { return "can be read" }
func (askedIs) Is(error) bool   { panic("asked Is") }
func (askedIs) As(any) bool     { panic("asked As") }
func (askedIs) Unwrap() []error { panic("asked Unwrap") }

// exits ends the goroutine that asks it anything.
type exits struct{}

func (exits) Error() string                { runtime.Goexit(); return "" }
func (exits) Is(error) bool                { runtime.Goexit(); return false }
func (exits) MarshalJSON() ([]byte, error) { panic("no JSON of this") }
func (*exits) UnmarshalJSON([]byte) error  { panic("not from JSON either") }

func TestAnErrorThatCannotBeReadEndsNoWorkerAndLosesNoJob(t *testing.T) {
	var null *typedNil
	const unread = "the handler returned a *jobs_test.typedNil, whose Error method panicked: runtime error: invalid memory address"
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for name, test := range map[string]struct {
			err   error
			state asynq.TaskState
			text  string
		}{
			"plain":       {null, asynq.TaskStateRetry, unread},
			"joined":      {errors.Join(errors.New("one"), null), asynq.TaskStateRetry, "the handler returned a *errors.joinError, whose Error method panicked"},
			"permanent":   {jobs.Permanent(null), asynq.TaskStateArchived, unread},
			"retry-in":    {jobs.RetryIn(null, time.Hour), asynq.TaskStateRetry, unread},
			"wrapped":     {fmt.Errorf("wrapped: %w", null), asynq.TaskStateRetry, "wrapped: "},
			"asked":       {askedIs{}, asynq.TaskStateRetry, "can be read (a method of the error, asked what it is, panicked: asked As"},
			"asked-final": {jobs.Permanent(askedIs{}), asynq.TaskStateArchived, "can be read (a method"},
			"exits":       {exits{}, asynq.TaskStateRetry, "the handler returned a jobs_test.exits, whose Error method ended its goroutine"},
			"exits-final": {jobs.Permanent(exits{}), asynq.TaskStateArchived, "the handler returned a jobs_test.exits, whose Error"},
		} {
			t.Run(name, func(t *testing.T) {
				queue := jobs.NewQueue[string](name)
				told := make(chan jobs.Info, 1)
				handler := queue.Handle(func(_ context.Context, what string) error {
					if what == "next" {
						return nil
					}
					return test.err
				}, jobs.Concurrency(1), jobs.Backoff(func(int) time.Duration { return time.Hour }))
				runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler},
					OnUpdate: func(_ context.Context, info jobs.Info) error { told <- info; return nil }})
				ctx := clientContext(rdb, handler)
				id := must(t)(queue.Push(jobs.WithUserID(ctx, "ada"), "fails", jobs.NotifyUser()))
				info := waitForState(t, rdb, name, id, test.state)
				if !strings.HasPrefix(info.LastErr, test.text) {
					t.Errorf("the dashboard says %q, want %q", info.LastErr, test.text)
				}
				if update := <-told; update.LastError != info.LastErr {
					t.Errorf("the user is told %q", update.LastError)
				}
				if test.state == asynq.TaskStateRetry && time.Until(info.NextProcessAt) < 50*time.Minute {
					t.Errorf("it is tried again at %v, want in an hour", info.NextProcessAt)
				}
				// Its slot is free, and the worker is there.
				waitUntilGone(t, rdb, name, must(t)(queue.Push(ctx, "next")))
			})
		}
	})
}

func TestACancelledJobWhoseErrorCannotBeReadIsArchived(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		started := make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ string) error {
			close(started)
			<-ctx.Done()
			return askedIs{}
		})
		startWorker(t, rdb, handler)
		id := must(t)(queue.Push(clientContext(rdb, handler), "x"))
		<-started
		if err := jobs.NewClient(rdb).Cancel(context.Background(), "q", id); err != nil {
			t.Fatal(err)
		}
		info := waitForState(t, rdb, "q", id, asynq.TaskStateArchived)
		if !strings.HasPrefix(info.LastErr, jobs.ErrCancelled.Error()) || info.Retried != 0 || !strings.Contains(info.LastErr, "can be read") {
			t.Errorf("the archive says %q after %d retries", info.LastErr, info.Retried)
		}
	})
}

// brokenLog is a slog handler that does not work.
type brokenLog struct{ how func() }

func (l brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (l brokenLog) Handle(context.Context, slog.Record) error { l.how(); return nil }
func (l brokenLog) WithAttrs([]slog.Attr) slog.Handler        { l.how(); return l }
func (l brokenLog) WithGroup(string) slog.Handler             { l.how(); return l }

func TestNothingThatAWorkerIsGivenEndsIt(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		for how, breaks := range map[string]func(){
			"panics":              func() { panic("no idea") },
			"exits":               runtime.Goexit,
			"panics with an exit": func() { panic(exits{}) },
		} {
			t.Run(how, func(t *testing.T) {
				queue := jobs.NewQueue[string]("q-" + strings.ReplaceAll(how, " ", "-"))
				handler := queue.Handle(func(ctx context.Context, _ string) error {
					switch job, _ := jobs.FromContext(ctx); job.Attempt {
					case 1:
						breaks()
					case 2:
						return errors.New("twice")
					}
					return jobs.Progress(ctx, 100)
				}, jobs.Concurrency(1), jobs.Retries(2),
					jobs.Backoff(func(attempt int) time.Duration {
						if attempt == 1 {
							breaks()
						}
						return 0
					}),
					jobs.RetriesOf(func(jobs.Job) int { breaks(); return 0 }))
				runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(brokenLog{breaks}),
					OnUpdate: func(context.Context, jobs.Info) error { breaks(); return exits{} }})
				ctx := jobs.WithUserID(clientContext(rdb, handler), "ada")
				id := must(t)(queue.Push(ctx, "x", jobs.NotifyUser()))
				waitUntilGone(t, rdb, queue.Name(), id)
			})
		}
	})
}

func TestMiddlewareThatCannotBeAppliedKeepsTheWorkerFromStarting(t *testing.T) {
	rdb := redistest.Embedded(t)
	type next = func(context.Context) error
	fine := func(n next) next { return n }
	for want, broken := range map[string]jobs.Middleware{
		"middleware 2 panicked: no config": func(next) next { panic("no config") },
		"middleware 2 ended its goroutine": func(next) next { runtime.Goexit(); return nil },
		"middleware 2 returned nil":        func(next) next { return nil },
		"middleware 2 is nil":              nil,
	} {
		want = `handler of queue "q": ` + want
		queue := jobs.NewQueue[string]("q")
		inside := queue.Handle(ignore[string], jobs.Use(fine, broken))
		for _, w := range []*jobs.Worker{
			{Redis: rdb, Handlers: []jobs.Handler{inside}},
			{Redis: rdb, Handlers: []jobs.Handler{queue.Handle(ignore[string])}, Middleware: []jobs.Middleware{fine, broken}},
		} {
			if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Run returned %v, want %q", err, want)
			}
		}
		if _, err := inside.Call(t.Context(), jobs.Job{}, "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Call returned %v, want %q", err, want)
		}
	}
}

func TestMiddlewareThatLosesTheContextIsTold(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		var nothing context.Context
		for name, ctx := range map[string]context.Context{"background": context.Background(), "nil": nothing} {
			queue := jobs.NewQueue[string](name)
			loses := func(next func(context.Context) error) func(context.Context) error {
				return func(context.Context) error { return next(ctx) }
			}
			handler := queue.Handle(ignore[string], jobs.Retries(0), jobs.Use(loses))
			startWorker(t, rdb, handler)
			id := must(t)(queue.Push(clientContext(rdb, handler), "x"))
			info := waitForState(t, rdb, name, id, asynq.TaskStateArchived)
			want := `queue "` + name + `": its middleware called next with a context that is not derived from the one it was given`
			if !strings.HasPrefix(info.LastErr, want) {
				t.Errorf("the archive says %q, want %q", info.LastErr, want)
			}
		}
	})
}

func TestCallSaysWhatAWorkerWouldSay(t *testing.T) {
	var null *typedNil
	queue := jobs.NewQueue[string]("q")
	call := func(err error) error {
		_, err = queue.Handle(func(context.Context, string) error { return err }).Call(t.Context(), jobs.Job{}, "x")
		return err
	}
	if err := call(null); !strings.HasPrefix(err.Error(), "the handler returned a *jobs_test.typedNil, whose Error method panicked") {
		t.Errorf("a typed nil became %q", err)
	}
	if cause := errors.New("as it was"); call(cause) != cause {
		t.Error("an error that can be read is not returned as it is")
	}
	if err := call(exits{}); !strings.Contains(err.Error(), "ended its goroutine") {
		t.Errorf("an error that ends goroutines became %q", err)
	}
	late := queue.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return null }, jobs.Timeout(time.Millisecond))
	_, err := late.Call(t.Context(), jobs.Job{}, "x")
	if !errors.Is(err, jobs.ErrTimeout) || !errors.Is(err, error(null)) || !strings.Contains(err.Error(), "typedNil") {
		t.Errorf("a late typed nil became %q", err)
	}
}

func TestPayloadsThatPanicAreRefused(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[exits]("q")
	handler := queue.Handle(ignore[exits], jobs.Retries(0))
	ctx := clientContext(rdb, handler)
	push := map[string]error{}
	_, push["Push"] = queue.Push(ctx, exits{})
	_, push["PushMany"] = queue.PushMany(ctx, []exits{{}, {}})
	_, push["PushEach"] = queue.PushEach(ctx, []jobs.Item[exits]{{}})
	_, push["Call"] = handler.Call(ctx, jobs.Job{}, exits{})
	for name, err := range push {
		if err == nil || !strings.Contains(err.Error(), `queue "q"`) || !strings.Contains(err.Error(), "jobs_test.exits, or of a value in it, panicked: no JSON of this") {
			t.Errorf("%s returned %v", name, err)
		}
	}
	if _, err := queue.Decode([]byte("{}")); err == nil || !strings.Contains(err.Error(), `queue "q": decode the payload: a method of jobs_test.exits, or of a value in it, panicked: not from`) {
		t.Errorf("Decode returned %v", err)
	}
	answer := httptest.NewRecorder()
	request := httptest.NewRequest("POST", "/", strings.NewReader("{}")).WithContext(ctx)
	request.Header.Set("Content-Type", "application/json")
	if queue.HTTP().ServeHTTP(answer, request); answer.Code != http.StatusServiceUnavailable || strings.Contains(answer.Body.String(), "panicked") {
		t.Errorf("HTTP answered %d %s", answer.Code, answer.Body)
	}
}

func TestResultsAndProgressThatPanicAreErrors(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[string]("q")
	progress := make(chan error, 1)
	handler := jobs.HandleResult(queue, func(ctx context.Context, _ string) (exits, error) {
		progress <- jobs.Progress(ctx, exits{})
		return exits{}, nil
	})
	startWorker(t, rdb, handler)
	id := must(t)(queue.Push(clientContext(rdb, handler), "x"))
	if err := <-progress; err == nil || !strings.Contains(err.Error(), "no JSON of this") {
		t.Errorf("Progress returned %v", err)
	}
	info := waitForState(t, rdb, "q", id, asynq.TaskStateArchived)
	if want := `queue "q": encode the result: a method of jobs_test.exits, or of a value in it, panicked: no JSON of this`; info.LastErr != want {
		t.Errorf("the archive says %q, want %q", info.LastErr, want)
	}
}

func TestOptionsThatAreNilAreRefused(t *testing.T) {
	rdb := redistest.Embedded(t)
	queue := jobs.NewQueue[string]("q")
	if _, err := queue.Push(clientContext(rdb, queue.Handle(ignore[string])), "x", jobs.In(0), nil); err == nil || !strings.Contains(err.Error(), `queue "q": option 2 is nil`) {
		t.Errorf("Push returned %v", err)
	}
	w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{queue.Handle(ignore[string], nil)}}
	if err := w.Run(t.Context()); err == nil || !strings.Contains(err.Error(), `queue "q": option 1 is nil`) {
		t.Errorf("Run returned %v", err)
	}
}
