package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

type step struct {
	Group string
	N     int
}

func TestFIFOKeepsTheOrderOfAGroupWithFailuresAndSeveralWorkers(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const groups, each = 8, 25
		queue := jobs.NewQueue[step]("steps.fifo")
		var done journal[step]
		var sequences sync.Map
		var inside [groups]atomic.Int32
		handler := queue.Handle(func(ctx context.Context, s step) error {
			g := &inside[s.Group[0]-'a']
			if g.Add(1) > 1 {
				t.Errorf("two jobs of group %s at the same time", s.Group)
			}
			defer g.Add(-1)
			if rand.N(5) == 0 {
				return errors.New("one in five")
			}
			job, _ := jobs.FromContext(ctx)
			if before, ok := sequences.Swap(s.Group, job.Sequence); job.Group != s.Group || ok && before.(int64) >= job.Sequence {
				t.Errorf("group %s: %+v after sequence %v", s.Group, job, before)
			}
			done.add(s)
			return nil
		}, jobs.Retries(-1), fast)
		for range 3 {
			startWorker(t, rdb, handler)
		}
		ctx := clientContext(rdb, handler)
		var ids []string
		for n := range each {
			for g := range groups {
				s := step{string(rune('a' + g)), n}
				ids = append(ids, must(t)(queue.Group(s.Group).Push(ctx, s)))
			}
		}
		redistest.Eventually(t, 2*time.Minute, "all jobs", func() bool { return len(done.all()) >= groups*each })
		waitUntilGone(t, rdb, "steps.fifo", ids...)
		next := map[string]int{}
		for _, s := range done.all() {
			if s.N != next[s.Group] {
				t.Errorf("group %s: job %d came when %d was next", s.Group, s.N, next[s.Group])
			}
			next[s.Group]++
		}
		if left := rdb.Keys(ctx, "asynq:{steps.fifo}:fifo:*").Val(); len(left) > 0 {
			t.Errorf("empty groups left %q", left)
		}
	})
}

// line is a FIFO queue whose jobs fail or wait as they are told to.
type line struct {
	queue   *jobs.Queue[string]
	handler jobs.Handler
	seen    journal[string]
	mu      sync.Mutex
	failing map[string]bool
}

func newLine(options ...jobs.HandlerOption) *line {
	l := &line{queue: jobs.NewQueue[string]("line.fifo"), failing: map[string]bool{}}
	l.handler = l.queue.Handle(func(_ context.Context, name string) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.failing[name] {
			return errors.New(name + " fails")
		}
		l.seen.add(name)
		return nil
	}, options...)
	return l
}

func (l *line) fail(name string, fails bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failing[name] = fails
}

func (l *line) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := l.seen.waitFor(t, len(want), strings.Join(want, ", ")); !slices.Equal(got, want) {
		t.Errorf("jobs were run in the order %q, want %q", got, want)
	}
}

func TestFIFOFailingHeadHoldsItsGroupBackAndNoOther(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine(jobs.Backoff(func(int) time.Duration { return time.Second }))
		l.fail("a1", true)
		ctx := clientContext(rdb, l.handler)
		id := must(t)(l.queue.Group("a").Push(ctx, "a1"))
		must(t)(l.queue.Group("a").Push(ctx, "a2"))
		startWorker(t, rdb, l.handler)
		waitForState(t, rdb, "line.fifo", id, asynq.TaskStateRetry)
		must(t)(l.queue.Group("a").Push(ctx, "a3"))
		must(t)(l.queue.Group("b").Push(ctx, "b1"))
		l.expect(t, "b1")
		l.fail("a1", false)
		l.expect(t, "b1", "a1", "a2", "a3")
	})
}

func TestFIFOGivenUpHeadLetsTheNextRun(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine(jobs.Retries(1), fast)
		l.fail("a1", true)
		ctx := clientContext(rdb, l.handler)
		id := must(t)(l.queue.Group("a").Push(ctx, "a1"))
		must(t)(l.queue.Group("a").Push(ctx, "a2"))
		startWorker(t, rdb, l.handler)
		l.expect(t, "a2")
		waitForState(t, rdb, "line.fifo", id, asynq.TaskStateArchived)

		// Run by hand it joins the end of its group, behind what waits there.
		l.fail("a1", false)
		l.fail("a3", true)
		third := must(t)(l.queue.Group("a").Push(ctx, "a3"))
		redistest.Eventually(t, soon, "a3 to fail", func() bool {
			info, err := inspect(rdb).GetTaskInfo("line.fifo", third)
			return err == nil && (info.State == asynq.TaskStateRetry || info.Retried > 0)
		})
		if err := inspect(rdb).RunTask("line.fifo", id); err != nil {
			t.Fatal(err)
		}
		l.expect(t, "a2", "a1")
		waitForState(t, rdb, "line.fifo", third, asynq.TaskStateArchived)
	})
}

func TestFIFOJobRunByHandOutOfTurnWaits(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine()
		ctx := clientContext(rdb, l.handler)
		var ids []string
		for _, name := range []string{"a1", "a2", "a3", "a4"} {
			ids = append(ids, must(t)(l.queue.Group("a").Push(ctx, name)))
		}
		// Parked jobs are scheduled tasks; the dashboard can run one, or all.
		if err := inspect(rdb).RunTask("line.fifo", ids[3]); err != nil {
			t.Fatal(err)
		}
		if _, err := inspect(rdb).RunAllScheduledTasks("line.fifo"); err != nil {
			t.Fatal(err)
		}
		startWorker(t, rdb, l.handler)
		l.expect(t, "a1", "a2", "a3", "a4")
		waitUntilGone(t, rdb, "line.fifo", ids...)
	})
}

func TestFIFOStepsOverWhatWasRemovedInTheDashboard(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine()
		ctx := clientContext(rdb, l.handler)
		var ids []string
		for _, name := range []string{"a1", "a2", "a3", "a4", "a5"} {
			ids = append(ids, must(t)(l.queue.Group("a").Push(ctx, name)))
		}
		if err := errors.Join(
			inspect(rdb).DeleteTask("line.fifo", ids[1]),
			inspect(rdb).ArchiveTask("line.fifo", ids[2]),
		); err != nil {
			t.Fatal(err)
		}
		startWorker(t, rdb, l.handler)
		l.expect(t, "a1", "a4", "a5")
	})
}

func TestFIFOSweeperFreesAGroupWhoseHeadWasRemoved(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine()
		ctx := clientContext(rdb, l.handler)
		for _, group := range []string{"deleted", "archived"} {
			head := must(t)(l.queue.Group(group).Push(ctx, group+"1"))
			must(t)(l.queue.Group(group).Push(ctx, group+"2"))
			remove := inspect(rdb).DeleteTask
			if group == "archived" {
				remove = inspect(rdb).ArchiveTask
			}
			if err := remove("line.fifo", head); err != nil {
				t.Fatal(err)
			}
		}
		startWorker(t, rdb, l.handler)
		got := l.seen.waitFor(t, 2, "the sweeper")
		slices.Sort(got)
		if !slices.Equal(got, []string{"archived2", "deleted2"}) {
			t.Errorf("jobs %q were run", got)
		}
	})
}

func TestFIFORefusesAJobWithoutGroupFromAForeignClient(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine()
		startWorker(t, rdb, l.handler)
		info, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("line.fifo", []byte("x")), asynq.Queue("line.fifo"))
		if err != nil {
			t.Fatal(err)
		}
		info = waitForState(t, rdb, "line.fifo", info.ID, asynq.TaskStateArchived)
		if !strings.Contains(info.LastErr, "without a group") {
			t.Errorf("error %q", info.LastErr)
		}
	})
}

func TestFIFOIgnoresARepeatedDedupeID(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine()
		ctx := clientContext(rdb, l.handler)
		push := func(g jobs.Group[string], payload string, options ...jobs.PushOption) string {
			t.Helper()
			return must(t)(g.Push(ctx, payload, options...))
		}
		a, b := l.queue.Group("a"), l.queue.Group("b")
		first := push(a, "same")
		for name, repeat := range map[string]bool{
			"the same payload":             push(a, "same") == first,
			"the same payload elsewhere":   push(b, "same") != first,
			"another payload":              push(a, "other") != first,
			"an id of its own":             push(a, "same", jobs.ID("mine")) == "mine",
			"the payload as a dedupe id":   push(a.Dedupe("same"), "same") != first,
			"the same dedupe id":           push(a.Dedupe("k"), "x") == push(a.Dedupe("k"), "y"),
			"the same dedupe id elsewhere": push(a.Dedupe("k"), "x") != push(b.Dedupe("k"), "x"),
		} {
			if !repeat {
				t.Errorf("%s: wrongly told apart or taken for a repeat", name)
			}
		}
		startWorker(t, rdb, l.handler)
		waitUntilGone(t, rdb, "line.fifo", first)
		if id := push(a, "same"); id != first {
			t.Errorf("the id was forgotten with the job: %q, want %q", id, first)
		}
		keys := rdb.Keys(ctx, "asynq:{line.fifo}:dedupe:*").Val()
		if len(keys) == 0 {
			t.Fatal("no dedupe key")
		}
		for _, key := range keys {
			if ttl := rdb.TTL(ctx, key).Val(); ttl <= 4*time.Minute || ttl > 5*time.Minute {
				t.Errorf("%s expires in %v, want 5 minutes", key, ttl)
			}
		}
	})
}

func TestFIFOGroupsMayHaveAnyName(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		l := newLine()
		ctx := clientContext(rdb, l.handler)
		names := []string{"seq", ":", "{x}", "a b", "\x00\n", "é", "fifo:seq"}
		for i, name := range names {
			must(t)(l.queue.Group(name).Push(ctx, fmt.Sprint(i, "-1")))
			must(t)(l.queue.Group(name).Push(ctx, fmt.Sprint(i, "-2")))
		}
		startWorker(t, rdb, l.handler)
		got := l.seen.waitFor(t, 2*len(names), "all groups")
		for i := range names {
			if slices.Index(got, fmt.Sprint(i, "-1")) > slices.Index(got, fmt.Sprint(i, "-2")) {
				t.Errorf("group %q: %q", names[i], got)
			}
		}
	})
}
