package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// In a line that is too long to look through, a cancelled job stays until it is
// passed over. It must not run, and a job that takes its id runs once.
func TestCancelInTheMiddleOfALongLine(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q")
		var runs journal[string]
		handler := queue.Handle(func(_ context.Context, what string) error {
			runs.add(what)
			return nil
		}, jobs.Concurrency(1))
		ctx := clientContext(rdb, handler)
		before := make([]string, 150)
		for i := range before {
			before[i] = fmt.Sprint("before ", i)
		}
		pushMany := func(what []string) {
			t.Helper()
			if _, err := queue.PushMany(ctx, what); err != nil {
				t.Fatal(err)
			}
		}
		pushMany(before)
		cancelled, taken := must(t)(queue.Push(ctx, "cancelled")), must(t)(queue.Push(ctx, "never", jobs.ID("taken")))
		later := must(t)(queue.Push(ctx, "never", jobs.ID("later")))
		pushMany(before)
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{cancelled, taken, later} {
			if err := client.Cancel(ctx, "q", id); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Get(ctx, "q", id); !errors.Is(err, jobs.ErrNotFound) {
				t.Errorf("a cancelled job is %v", err)
			}
		}
		must(t)(queue.Push(ctx, "again", jobs.ID("taken"), jobs.Retain(time.Hour)))
		must(t)(queue.Push(ctx, "in an hour", jobs.ID("later"), jobs.In(time.Hour)))
		startWorker(t, rdb, handler)
		redistest.Eventually(t, soon, "the line to be empty", func() bool { return rdb.LLen(ctx, "asynq:{q}:pending").Val() == 0 })
		redistest.Eventually(t, soon, "all to have run", func() bool { return len(runs.all()) >= 301 })
		counts := map[string]int{}
		for _, what := range runs.all() {
			counts[what]++
		}
		if len(runs.all()) != 301 || counts["again"] != 1 || counts["cancelled"]+counts["never"]+counts["in an hour"] != 0 {
			t.Errorf("%d runs, again %d, cancelled %d, never %d", len(runs.all()), counts["again"], counts["cancelled"], counts["never"])
		}
		if info, err := client.Get(ctx, "q", later); err != nil || info.State != jobs.Scheduled {
			t.Errorf("the job that is delayed is %+v, %v", info, err)
		}
	})
}

// The dashboard's "run all" puts the jobs that wait behind others in line, in the
// order of their ids. They run in the order of the pushes all the same.
func TestRunAllOfAGroupKeepsItsOrder(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q.fifo")
		var runs journal[int]
		handler := queue.Handle(func(_ context.Context, n int) error {
			runs.add(n)
			return nil
		}, jobs.Concurrency(3))
		ctx := clientContext(rdb, handler)
		const n = 300
		for i := range n {
			must(t)(queue.Group("g").Push(ctx, i))
		}
		if moved, err := inspect(rdb).RunAllScheduledTasks("q.fifo"); err != nil || moved != n-1 {
			t.Fatalf("run all: %d, %v", moved, err)
		}
		startWorker(t, rdb, handler)
		runs.waitFor(t, n, "all to run")
		if got := runs.all(); !slices.IsSorted(got) || len(got) != n {
			t.Errorf("%d runs, in the order %v", len(got), got)
		}
		redistest.Eventually(t, soon, "the queue to be empty", func() bool { return queueIsEmpty(rdb, "q.fifo") })
	})
}

// runAgain is a group whose jobs were given up and then run again, while the first of
// those that were pushed later runs.
type runAgain struct {
	ctx  context.Context
	ids  []string // of those that were given up, which are numbered from 0
	runs journal[int]
	held chan struct{} // lets the one that runs, number 100, go on when it is closed
}

// startRunAgain returns when the jobs that were given up wait in their group.
func startRunAgain(t *testing.T, rdb *redis.Client, givenUp, later int, options ...jobs.HandlerOption) *runAgain {
	t.Helper()
	queue := jobs.NewQueue[int]("q.fifo")
	g := &runAgain{held: make(chan struct{})}
	var started journal[int]
	mended := make(chan struct{})
	handler := queue.Handle(func(_ context.Context, n int) error {
		select {
		case <-mended:
		default:
			return jobs.Permanent(errors.New("not yet"))
		}
		if started.add(n); n == 100 {
			<-g.held
		}
		g.runs.add(n)
		return nil
	}, options...)
	g.ctx = clientContext(rdb, handler)
	for i := range givenUp {
		g.ids = append(g.ids, must(t)(queue.Group("g").Push(g.ctx, i)))
	}
	startWorker(t, rdb, handler)
	for _, id := range g.ids {
		waitForState(t, rdb, "q.fifo", id, asynq.TaskStateArchived)
	}
	close(mended)
	for n := range later { // The first of them runs when the others are run again.
		must(t)(queue.Group("g").Push(g.ctx, 100+n))
	}
	started.waitFor(t, 1, "the new one to run")
	if moved, err := inspect(rdb).RunAllArchivedTasks("q.fifo"); err != nil || moved != givenUp {
		t.Fatalf("run all: %d, %v", moved, err)
	}
	redistest.Eventually(t, soon, "them to wait in their group", func() bool {
		return rdb.ZCard(g.ctx, "asynq:{q.fifo}:fifo-again:g").Val() == int64(givenUp) && rdb.LLen(g.ctx, "asynq:{q.fifo}:pending").Val() == 0
	})
	return g
}

// Jobs that were given up and are run again take their places in the order of the
// pushes: before those that were pushed later, and behind the one that runs.
func TestArchivedJobsOfAGroupRunAgainInTheOrderOfTheirPushes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		g := startRunAgain(t, rdb, 30, 10, jobs.Concurrency(3))
		close(g.held)
		want := []int{100}
		for i := range 30 {
			want = append(want, i)
		}
		for n := 101; n < 110; n++ {
			want = append(want, n)
		}
		if got := g.runs.waitFor(t, len(want), "all to run"); !slices.Equal(got, want) {
			t.Errorf("they ran in the order %v, want %v", got, want)
		}
	})
}

// A job that was cancelled, or deleted in the dashboard, in the middle of a long group leaves its place in the line. A
// job that takes its id has a place of its own, at the end.
func TestAnIDTakenAgainIsLastInItsGroup(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[string]("q.fifo")
		var runs journal[string]
		handler := queue.Handle(func(_ context.Context, what string) error {
			runs.add(what)
			return nil
		})
		ctx := clientContext(rdb, handler)
		var want []string
		push := func(n int) {
			t.Helper()
			for range n {
				want = append(want, fmt.Sprint("other ", len(want)))
				must(t)(queue.Group("g").Push(ctx, want[len(want)-1]))
			}
		}
		push(120)
		for _, id := range []string{"cancelled", "deleted"} {
			must(t)(queue.Group("g").Push(ctx, "never "+id, jobs.ID(id)))
		}
		push(120)
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(client.Cancel(ctx, "q.fifo", "cancelled"), inspect(rdb).DeleteTask("q.fifo", "deleted")); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"cancelled", "deleted"} {
			must(t)(queue.Group("g").Push(ctx, "again "+id, jobs.ID(id)))
			want = append(want, "again "+id)
		}
		push(1)
		startWorker(t, rdb, handler)
		if got := runs.waitFor(t, len(want), "all to run"); !slices.Equal(got, want) {
			t.Errorf("they ran in the order %q", got)
		}
		redistest.Eventually(t, soon, "the queue to be empty", func() bool {
			return queueIsEmpty(rdb, "q.fifo") && rdb.Exists(ctx, "asynq:{q.fifo}:fifo:g").Val() == 0
		})
	})
}

// A job that waits to run again, before the others of its group, may be cancelled, deleted or given up once more.
func TestWhatIsRunAgainInAGroupMayEndBeforeItsTurn(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		g := startRunAgain(t, rdb, 5, 2)
		client, err := jobs.ClientFrom(g.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(
			client.Cancel(g.ctx, "q.fifo", g.ids[0]),
			inspect(rdb).DeleteTask("q.fifo", g.ids[1]),
			inspect(rdb).ArchiveTask("q.fifo", g.ids[2]),
		); err != nil {
			t.Fatal(err)
		}
		close(g.held)
		if got := g.runs.waitFor(t, 4, "the others to run"); !slices.Equal(got, []int{100, 3, 4, 101}) {
			t.Errorf("they ran in the order %v", got)
		}
		if err := inspect(rdb).RunTask("q.fifo", g.ids[2]); err != nil {
			t.Fatal(err)
		}
		if got := g.runs.waitFor(t, 5, "the one that was given up to run"); got[4] != 2 {
			t.Errorf("they ran in the order %v", got)
		}
		redistest.Eventually(t, soon, "the queue to be empty", func() bool {
			return queueIsEmpty(rdb, "q.fifo") && rdb.Exists(g.ctx, "asynq:{q.fifo}:fifo:g", "asynq:{q.fifo}:fifo-again:g").Val() == 0
		})
	})
}
