package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

var sequence = jobs.NewQueue[int]("sequence")

func TestPushEachHasOptionsForEachJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		ctx := clientContext(rdb, sequence.Handle(ignore[int]))
		must(t)(sequence.Push(ctx, 0, jobs.ID("taken")))
		var items []jobs.Item[int]
		for i := range 450 { // more than one trip takes
			items = append(items, jobs.Item[int]{Payload: i, Options: []jobs.PushOption{jobs.ID(fmt.Sprint("n", i)), jobs.Param("n", fmt.Sprint(i))}})
		}
		items[7].Options = append(items[7].Options, jobs.In(time.Hour))
		items[211].Options = []jobs.PushOption{jobs.ID("taken")}
		ids, err := sequence.PushEach(ctx, items)
		if err != nil || len(ids) != len(items) {
			t.Fatalf("got %d ids and %v", len(ids), err)
		}
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			if i == 211 {
				if id != "" {
					t.Errorf("the id that was taken: got %q", id)
				}
				continue
			}
			info, err := client.Get(ctx, "sequence", id)
			want := jobs.Pending
			if i == 7 {
				want = jobs.Scheduled
			}
			if err != nil || info.Job.Params["n"] != fmt.Sprint(i) || string(info.Payload) != fmt.Sprint(i) || info.State != want {
				t.Fatalf("job %d: got %+v and %v", i, info, err)
			}
		}
	})
}

func TestAscendingPushesEachNumberOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		ctx := clientContext(rdb, sequence.Handle(ignore[int]))
		push := func(line string, n int64) error {
			_, err := sequence.Push(ctx, int(n), jobs.Ascending(line, n))
			return err
		}
		for _, step := range []struct {
			line string
			n    int64
			ok   bool
		}{{"a", 5, true}, {"a", 5, false}, {"a", 4, false}, {"b", 4, true}, {"a", 1_764_000_000_123, true}, {"a", 1_764_000_000_122, false}} {
			if err := push(step.line, step.n); step.ok && err != nil || !step.ok && !errors.Is(err, jobs.ErrDuplicate) {
				t.Errorf("%s %d: got %v", step.line, step.n, err)
			}
		}
		ids, err := sequence.PushEach(ctx, []jobs.Item[int]{
			{Payload: 6, Options: []jobs.PushOption{jobs.Ascending("b", 6)}},
			{Payload: 5, Options: []jobs.PushOption{jobs.Ascending("b", 5)}},
			{Payload: 7, Options: []jobs.PushOption{jobs.Ascending("b", 7)}},
		})
		if err != nil || len(ids) != 3 || ids[0] == "" || ids[1] != "" || ids[2] == "" {
			t.Errorf("got %q and %v", ids, err)
		}
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := client.Lines(ctx, "sequence", "a", "b", "c")
		if err != nil || len(lines) != 2 || lines["a"] != 1_764_000_000_123 || lines["b"] != 7 {
			t.Errorf("got %v and %v", lines, err)
		}
		if err := client.ForgetLines(ctx, "sequence", "a"); err != nil {
			t.Fatal(err)
		}
		if err := push("a", 1); err != nil {
			t.Errorf("in a line that was forgotten: %v", err)
		}
	})
}

// Several processes push the same sequence of events, and lose replies.
func TestLostRepliesOfPushEach(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		var seen journal[int]
		handler := sequence.Handle(func(_ context.Context, n int) error { seen.add(n); return nil })
		startWorker(t, rdb, handler) // Directly: jobs are done and forgotten before a push is repeated.
		const events = 60
		var pushing sync.WaitGroup
		for range 3 {
			proxy := redistest.NewProxy(t, rdb.Options().Addr)
			ctx := clientContext(redistest.Client(t, proxy.Addr), handler)
			proxy.CutReplies(3, "evalsha", "eval")
			pushing.Go(func() {
				for n := 0; n < events; n += 2 {
					var items []jobs.Item[int]
					for _, n := range []int{n, n + 1} {
						items = append(items, jobs.Item[int]{Payload: n, Options: []jobs.PushOption{jobs.Ascending("line", int64(n))}})
					}
					if _, err := sequence.PushEach(ctx, items); err != nil {
						t.Error(err)
					}
				}
			})
		}
		pushing.Wait()
		seen.waitFor(t, events, "the events")
		waitUntilNothingIsPending(t, rdb, "sequence")
		expectOnceEach(t, seen.all(), events)
	})
}

func TestSerialJobsOfAStandardQueueRunInOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		type note struct {
			group string
			n     int
		}
		var ran journal[note]
		release := make(chan struct{})
		handler := sequence.Handle(func(ctx context.Context, n int) error {
			job, _ := jobs.FromContext(ctx)
			ran.add(note{job.Group, n})
			if n == 0 {
				<-release
			}
			return nil
		})
		ctx := clientContext(rdb, handler)
		startWorker(t, rdb, handler)
		for n := range 5 {
			must(t)(sequence.Push(ctx, n, jobs.Serial("line")))
		}
		must(t)(sequence.Push(ctx, 100))
		ran.waitFor(t, 2, "the first of the line and the job beside it")
		waitUntilNothingIsPending(t, rdb, "sequence")
		if got := ran.all(); len(got) != 2 {
			t.Errorf("beside the first of its line ran %v", got)
		}
		close(release)
		var line []int
		for _, r := range ran.waitFor(t, 6, "the rest of the line") {
			if r.group == "line" {
				line = append(line, r.n)
			} else if r.n != 100 || r.group != "" {
				t.Errorf("got %v", r)
			}
		}
		if !slices.Equal(line, []int{0, 1, 2, 3, 4}) {
			t.Errorf("the line ran as %v", line)
		}
	})
}

func waitUntilNothingIsPending(t *testing.T, rdb *redis.Client, queue string) {
	t.Helper()
	redistest.Eventually(t, soon, "the line to be empty", func() bool {
		info, err := inspect(rdb).GetQueueInfo(queue)
		return err == nil && info.Pending == 0
	})
}

func TestRetriesOfEachJob(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		handler := sequence.Handle(func(context.Context, int) error { panic("again") }, fast,
			jobs.RetriesOf(func(job jobs.Job) int { return len(job.Params["retries"]) }))
		ctx := clientContext(rdb, handler)
		startWorker(t, rdb, handler)
		for retries := range 3 {
			id := must(t)(sequence.Push(ctx, 0, jobs.Param("retries", strings.Repeat("x", retries))))
			task := waitForState(t, rdb, "sequence", id, asynq.TaskStateArchived)
			if task.Retried != retries || task.MaxRetry != retries {
				t.Errorf("retried %d of %d times, want %d", task.Retried, task.MaxRetry, retries)
			}
		}
	})
}

func TestOptionsThatDoNotGoTogether(t *testing.T) {
	rdb := redistest.Embedded(t)
	fifo := jobs.NewQueue[int]("sequence.fifo")
	ctx := clientContext(rdb, sequence.Handle(ignore[int]), fifo.Handle(ignore[int]))
	for want, push := range map[string]func() error{
		"empty":         func() error { _, err := sequence.Push(ctx, 1, jobs.Serial("")); return err },
		"cannot be del": func() error { _, err := sequence.Push(ctx, 1, jobs.Serial("a"), jobs.In(1)); return err },
		"has groups":    func() error { _, err := fifo.Group("a").Push(ctx, 1, jobs.Serial("b")); return err },
		"line's name":   func() error { _, err := sequence.Push(ctx, 1, jobs.Ascending("", 1)); return err },
		"53 bits":       func() error { _, err := sequence.Push(ctx, 1, jobs.Ascending("a", 1<<60)); return err },
		"2 are pushed":  func() error { _, err := sequence.PushMany(ctx, []int{1, 2}, jobs.Ascending("a", 1)); return err },
		"item 1: ID(\"\")": func() error {
			_, err := sequence.PushEach(ctx, []jobs.Item[int]{{}, {Options: []jobs.PushOption{jobs.ID("")}}})
			return err
		},
	} {
		if err := push(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
