package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestNewQueuePanicsForABadName(t *testing.T) {
	for _, name := range []string{"", ".fifo", ".", "..", "a b", "a/b", "a:b", "{a}", "é", strings.Repeat("x", 81)} {
		func() {
			defer func() {
				if message := fmt.Sprint(recover()); !strings.Contains(message, "jobs.NewQueue: the queue's name") {
					t.Errorf("NewQueue(%q) panicked with %q", name, message)
				}
			}()
			jobs.NewQueue[int](name)
		}()
	}
	for _, name := range []string{"a", "Orders_2.x-y.fifo", strings.Repeat("x", 80)} {
		jobs.NewQueue[int](name)
	}
}

func TestPushRefusesBadInput(t *testing.T) {
	rdb := redistest.Embedded(t)
	plain, fifo := jobs.NewQueue[any]("plain"), jobs.NewQueue[any]("line.fifo")
	ctx := clientContext(rdb, plain.Handle(ignore[any]), fifo.Handle(ignore[any]))
	push := func(options ...jobs.PushOption) error {
		_, err := plain.Push(ctx, 1, options...)
		return err
	}
	group := func(g jobs.Group[any], options ...jobs.PushOption) error {
		_, err := g.Push(ctx, 1, options...)
		return err
	}
	_, noGroup := fifo.Push(ctx, 1)
	_, noClient := plain.Push(context.Background(), 1)
	_, zeroClient := plain.Push((&jobs.Client{}).Context(context.Background()), 1)
	_, unknown := jobs.NewQueue[int]("nobody").Push(ctx, 1)
	_, notJSON := plain.Push(ctx, func() {})
	_, sameID := plain.PushMany(ctx, []any{1, 2}, jobs.ID("x"))
	_, sameDedupe := fifo.Group("g").Dedupe("d").PushMany(ctx, []any{1, 2})
	_, badPrefix := plain.Push((func() *jobs.Client {
		c := jobs.NewClient(rdb)
		c.Prefix = "a{b"
		return c
	})().Context(ctx), 1)
	for name, test := range map[string]struct {
		err  error
		is   error
		text string
	}{
		"FIFO without group":     {noGroup, jobs.ErrNoGroup, `"line.fifo"`},
		"FIFO with empty group":  {group(fifo.Group("")), jobs.ErrNoGroup, "empty"},
		"FIFO with In":           {group(fifo.Group("g"), jobs.In(time.Hour)), jobs.ErrFIFODelay, "line.fifo"},
		"FIFO with At":           {group(fifo.Group("g"), jobs.At(time.Now())), jobs.ErrFIFODelay, "line.fifo"},
		"group of a plain queue": {group(plain.Group("g")), jobs.ErrNotFIFO, "plain"},
		"empty dedupe id":        {group(fifo.Group("g").Dedupe("")), nil, "dedupe id is empty"},
		"no client":              {noClient, jobs.ErrNoClient, "plain"},
		"client without Redis":   {zeroClient, nil, "NewClient"},
		"unknown queue":          {unknown, jobs.ErrUnknownQueue, `"nobody"`},
		"not JSON":               {notJSON, nil, `"plain": encode the payload`},
		"empty id":               {push(jobs.ID("")), nil, `ID("")`},
		"long id":                {push(jobs.ID(strings.Repeat("x", 201))), nil, "200 bytes"},
		"negative retention":     {push(jobs.Retain(-1)), nil, "Retain(-1ns)"},
		"empty parameter":        {push(jobs.Param("", "x")), nil, "Param"},
		"one id for two":         {sameID, nil, `ID("x") names one job`},
		"one dedupe id for two":  {sameDedupe, nil, `Dedupe("d") names one job`},
		"group not UTF-8":        {group(fifo.Group("\xff")), nil, `group "\xff" is not valid UTF-8`},
		"id not UTF-8":           {push(jobs.ID("\xff")), nil, `id "\xff" is not valid UTF-8`},
		"parameter not UTF-8":    {push(jobs.Param("p", "\xff")), nil, `param-p "\xff" is not valid UTF-8`},
		"bad prefix":             {badPrefix, nil, `prefix "a{b"`},
	} {
		switch {
		case test.err == nil:
			t.Errorf("%s: no error", name)
		case test.is != nil && !errors.Is(test.err, test.is):
			t.Errorf("%s: error %v, want it to be %v", name, test.err, test.is)
		case !strings.Contains(test.err.Error(), test.text):
			t.Errorf("%s: error %q does not contain %q", name, test.err, test.text)
		}
	}
	if keys := rdb.Keys(context.Background(), "asynq*:t:*").Val(); len(keys) > 0 {
		t.Errorf("something was stored: %q", keys)
	}
}

func TestPushToAQueueThatAnyWorkerHandled(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("elsewhere")
		ctx := clientContext(rdb)
		if _, err := queue.Push(ctx, 1); !errors.Is(err, jobs.ErrUnknownQueue) {
			t.Fatalf("error %v, want ErrUnknownQueue", err)
		}
		stop := startWorker(t, rdb, queue.Handle(ignore[int]))
		redistest.Eventually(t, soon, "the worker to start", func() bool {
			return rdb.SIsMember(ctx, "queuerun:queues", "elsewhere").Val()
		})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		// That no worker is alive just now is not an error.
		must(t)(queue.Push(ctx, 1))
	})
}

func TestPushCarriesUserRequestAndParamsFromJobToJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		first, second := jobs.NewQueue[int]("first"), jobs.NewQueue[int]("second")
		type seen struct {
			job     jobs.Job
			user    string
			request string
			value   any
		}
		got := make(chan seen, 2)
		note := func(ctx context.Context) {
			job, _ := jobs.FromContext(ctx)
			got <- seen{job, jobs.UserID(ctx), jobs.RequestID(ctx), ctx.Value(valueKey{})}
		}
		handlers := []jobs.Handler{
			first.Handle(func(ctx context.Context, n int) error {
				note(ctx)
				_, err := second.Push(ctx, n)
				return err
			}),
			second.Handle(func(ctx context.Context, _ int) error { note(ctx); return nil }),
		}
		startWorker(t, rdb, handlers...)
		ctx := jobs.WithRequestID(jobs.WithUserID(clientContext(rdb, handlers...), "ada"), "req-1")
		began := time.Now()
		id := must(t)(first.Push(ctx, 1, jobs.Param("color", "red"), jobs.Param("n", "1")))
		a, b := <-got, <-got
		if a.job.ID != id || a.job.Queue != "first" || a.job.Attempt != 1 || a.job.Sequence != 0 || a.job.Group != "" {
			t.Errorf("the job is %+v", a.job)
		}
		if at := a.job.QueuedAt; at.Before(began.Add(-time.Second)) || at.After(time.Now()) {
			t.Errorf("queued at %v", at)
		}
		if a.job.Params["color"] != "red" || len(a.job.Params) != 2 || b.job.Params != nil {
			t.Errorf("params %v, and %v of the job it pushed", a.job.Params, b.job.Params)
		}
		for _, s := range []seen{a, b} {
			if s.user != "ada" || s.job.UserID != "ada" || s.request != "req-1" {
				t.Errorf("queue %s: user %q and %q, request %q", s.job.Queue, s.user, s.job.UserID, s.request)
			}
		}
	})
}

type valueKey struct{}

func TestPushDelayedNeverStartsEarly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("later")
		started := make(chan time.Time, 1)
		handler := queue.Handle(func(context.Context, int) error { started <- time.Now(); return nil })
		startWorker(t, rdb, handler)
		for name, option := range map[string]func(time.Time) jobs.PushOption{
			"At": jobs.At,
			"In": func(at time.Time) jobs.PushOption { return jobs.In(time.Until(at)) },
		} {
			due := time.Now().Add(300 * time.Millisecond)
			must(t)(queue.Push(clientContext(rdb, handler), 1, option(due)))
			if late := (<-started).Sub(due); late < -time.Millisecond || late > 3*time.Second {
				t.Errorf("%s: started %v after its time", name, late)
			}
		}
		must(t)(queue.Push(clientContext(rdb, handler), 1, jobs.In(-time.Hour)))
		<-started
	})
}

func TestPushWithAnIDThatIsTaken(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("ticks")
		var seen journal[int]
		handler := queue.Handle(func(_ context.Context, n int) error { seen.add(n); return nil })
		ctx := clientContext(rdb, handler)
		duplicate := func(n int, options ...jobs.PushOption) {
			t.Helper()
			id, err := queue.Push(ctx, n, append(options, jobs.ID("tick-1"))...)
			if id != "tick-1" || !errors.Is(err, jobs.ErrDuplicate) {
				t.Errorf("Push returned %q, %v, want the id and ErrDuplicate", id, err)
			}
		}
		must(t)(queue.Push(ctx, 1, jobs.ID("tick-1"), jobs.Retain(time.Minute)))
		duplicate(2)
		duplicate(2, jobs.In(time.Hour))
		startWorker(t, rdb, handler)
		waitForState(t, rdb, "ticks", "tick-1", asynq.TaskStateCompleted)
		duplicate(3)
		if got := seen.all(); len(got) != 1 || got[0] != 1 {
			t.Errorf("jobs %v were run, want only the first", got)
		}
	})
}

func TestPushManyKeepsTheOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("many")
		var seen journal[string]
		handler := queue.Handle(func(ctx context.Context, n int) error {
			job, _ := jobs.FromContext(ctx)
			seen.add(fmt.Sprint(n, job.ID))
			return nil
		}, jobs.Concurrency(1))
		ids, err := queue.PushMany(clientContext(rdb, handler), []int{0, 1, 2})
		if err != nil || len(ids) != 3 {
			t.Fatalf("PushMany returned %q, %v", ids, err)
		}
		startWorker(t, rdb, handler)
		for i, got := range seen.waitFor(t, 3, "the jobs") {
			if want := fmt.Sprint(i, ids[i]); got != want {
				t.Errorf("job %d was %q, want %q", i, got, want)
			}
		}
	})
}

func TestPushManyTellsWhatWasPushed(t *testing.T) {
	server := redistest.Real(t)
	proxy := redistest.NewProxy(t, server.Addr)
	rdb := redis.NewClient(&redis.Options{Addr: proxy.Addr, MaxRetries: -1})
	defer rdb.Close()
	queue := jobs.NewQueue[string]("many")
	ctx := clientContext(rdb, queue.Handle(ignore[string]))
	must(t)(queue.Push(ctx, "warm up")) // asynq notes the queue, Redis learns the script
	proxy.CutReplies(1, "unlucky")
	payloads := slices.Repeat([]string{"fine"}, 450)
	payloads[250] = "unlucky"
	ids, err := queue.PushMany(ctx, payloads)
	if len(ids) != 200 || err == nil || !strings.Contains(err.Error(), `"many"`) {
		t.Errorf("PushMany returned %d ids, %v, want those of the first trip and an error", len(ids), err)
	}
}
