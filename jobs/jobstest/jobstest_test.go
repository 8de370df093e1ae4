package jobstest_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/jobstest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type order struct {
	ID string `json:"id"`
}

var (
	orders = jobs.NewQueue[order]("orders.fifo")
	mails  = jobs.NewQueue[string]("mails")
)

var errStock = errors.New("out of stock")

func fulfil(ctx context.Context, o order) error {
	if o.ID == "gone" {
		return errStock
	}
	if err := jobs.Progress(ctx, "packed"); err != nil {
		return err
	}
	_, err := mails.Push(ctx, "shipped "+o.ID+" to "+jobs.UserID(ctx))
	return err
}

func TestPushedTellsWhatWasPushed(t *testing.T) {
	q := jobstest.New(t, orders.Handle(fulfil), mails.Handle(func(context.Context, string) error { return nil }))
	ctx := jobs.WithUserID(q.Context(context.Background()), "ada")
	push := func(_ string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	push(orders.Group("b").Push(ctx, order{"1"}))
	push(orders.Group("a").Push(ctx, order{"2"}))
	push(orders.Group("b").Push(ctx, order{"3"}))
	push(orders.Group("b").Push(ctx, order{"1"})) // a repeat
	push(mails.Push(ctx, "later", jobs.In(time.Hour)))
	push(mails.Push(ctx, "soon", jobs.In(time.Minute)))
	push(mails.Push(ctx, "first", jobs.Param("k", "v")))
	push(mails.Push(ctx, "second"))
	var got []string
	for _, job := range jobstest.Pushed(q, orders) {
		got = append(got, job.Info.Job.Group+job.Payload.ID+job.Info.Job.UserID)
	}
	for _, job := range jobstest.Pushed(q, mails) {
		got = append(got, fmt.Sprint(job.Payload, job.Info.Job.Params["k"], job.Due.After(time.Now())))
	}
	if want := "[b1ada a2ada b3ada firstvfalse secondfalse soontrue latertrue]"; fmt.Sprint(got) != want {
		t.Errorf("pushed %v, want %s", got, want)
	}
	if _, err := jobs.NewQueue[int]("unknown").Push(ctx, 1); !errors.Is(err, jobs.ErrUnknownQueue) {
		t.Errorf("a push to a queue without handler returned %v", err)
	}
}

func TestRunCallsOneHandler(t *testing.T) {
	q := jobstest.New(t, orders.Handle(fulfil), mails.Handle(func(context.Context, string) error { return nil }))
	ctx := jobs.WithUserID(q.Context(context.Background()), "ada")
	if err := jobstest.Run(ctx, orders.Handle(fulfil), order{"gone"}); !errors.Is(err, errStock) {
		t.Errorf("Run returned %v", err)
	}
	if err := jobstest.Run(ctx, orders.Handle(fulfil), order{"1"}); err != nil {
		t.Error(err)
	}
	if got := jobstest.Pushed(q, mails); len(got) != 1 || got[0].Payload != "shipped 1 to ada" {
		t.Errorf("pushed %+v", got)
	}
	panics := mails.Handle(func(context.Context, string) error { panic("oh no") })
	if err := jobstest.Run(ctx, panics, ""); err == nil || !strings.Contains(err.Error(), "oh no") {
		t.Errorf("a panic became %v", err)
	}
	slow := mails.Handle(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }, jobs.Timeout(time.Millisecond))
	if err := jobstest.Run(ctx, slow, ""); !errors.Is(err, jobs.ErrTimeout) {
		t.Errorf("a time-out became %v", err)
	}
	exits := mails.Handle(func(context.Context, string) error { runtime.Goexit(); return nil })
	if err := jobstest.Run(ctx, exits, ""); err == nil {
		t.Error("a handler that ended its goroutine returned no error")
	}
}

func TestCallGivesTheResult(t *testing.T) {
	double := jobs.HandleResult(jobs.NewQueue[int]("double"), func(ctx context.Context, n int) (int, error) {
		job, _ := jobs.FromContext(ctx)
		return 2 * n * job.Attempt, nil
	})
	if result, err := double.Call(context.Background(), jobs.Job{Attempt: 3}, 7); err != nil || string(result) != "42" {
		t.Errorf("result %s, %v", result, err)
	}
}

func TestDrainRunsWhatJobsPush(t *testing.T) {
	var sent []string
	q := jobstest.New(t, orders.Handle(fulfil),
		mails.Handle(func(_ context.Context, mail string) error { sent = append(sent, mail); return nil }, jobs.Concurrency(1)))
	ctx := jobs.WithUserID(q.Context(context.Background()), "ada")
	for _, id := range []string{"1", "gone", "2"} {
		if _, err := orders.Group("g").Push(ctx, order{id}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mails.Push(ctx, "later", jobs.In(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := q.Drain(ctx); !errors.Is(err, errStock) || strings.Count(err.Error(), "\n") > 0 {
		t.Errorf("Drain returned %v, want the one failure", err)
	}
	if want := "[shipped 1 to ada shipped 2 to ada]"; fmt.Sprint(sent) != want {
		t.Errorf("sent %v, want %s", sent, want)
	}
	if left := jobstest.Pushed(q, mails); len(left) != 1 || left[0].Payload != "later" {
		t.Errorf("left %+v", left)
	}
}

// typedNil is an error that cannot be read when it is nil.
type typedNil struct{ text string }

func (e *typedNil) Error() string { return e.text }

func TestDrainTellsOfEveryWayToFail(t *testing.T) {
	var null *typedNil
	for want, how := range map[string]func(context.Context) error{
		"the handler panicked: oh no":                   func(context.Context) error { panic("oh no") },
		"the handler ended its goroutine":               func(context.Context) error { runtime.Goexit(); return nil },
		"the job's time-out passed":                     func(ctx context.Context) error { <-ctx.Done(); return nil },
		"time-out passed: out of stock":                 func(ctx context.Context) error { <-ctx.Done(); return errStock },
		"a *jobstest_test.typedNil, whose Error method": func(context.Context) error { return null },
	} {
		runs, late, timeout := 0, strings.Contains(want, "time-out"), time.Minute
		if late {
			timeout = 20 * time.Millisecond
		}
		handler := mails.Handle(func(ctx context.Context, _ string) error { runs++; return how(ctx) }, jobs.Timeout(timeout),
			jobs.RetriesOf(func(jobs.Job) int { return 3 }), jobs.Backoff(func(int) time.Duration { return 0 }))
		q := jobstest.New(t, handler)
		id, err := mails.Push(q.Context(t.Context()), "x")
		if err != nil {
			t.Fatal(err)
		}
		err = q.Drain(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), id) || runs != 1 {
			t.Errorf("Drain returned %v after %d runs, want %q", err, runs, want)
		}
		if errors.Is(err, jobs.ErrTimeout) != late {
			t.Errorf("%q is ErrTimeout: %v", err, !late)
		}
		if info, err := q.Client().Get(t.Context(), "mails", id); err != nil || info.State != jobs.Archived {
			t.Errorf("%s: the job is %q, %v", want, info.State, err)
		}
	}
}
