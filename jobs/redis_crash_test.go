package jobs_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestRedisKilledThatSyncsAlwaysLosesNoJob(t *testing.T) {
	crashRedis(t, crash{fsync: "always", end: (*redistest.Server).Kill, times: 3})
}

func TestRedisKilledThatSyncsEverySecondLosesAtMostTheLastJobs(t *testing.T) {
	crashRedis(t, crash{fsync: "everysec", end: (*redistest.Server).Kill, times: 3, mayLose: syncWindow})
}

func TestRedisStoppedLosesNoJob(t *testing.T) {
	crashRedis(t, crash{fsync: "everysec", end: (*redistest.Server).Stop, times: 3})
}

// syncWindow is what a Redis that syncs its append-only file every second may
// forget when it crashes: it puts a write off for up to two seconds.
const syncWindow = 2 * time.Second

// crash is a test in which Redis goes away, and comes back, in the middle of
// pushes and runs.
type crash struct {
	fsync   string
	end     func(*redistest.Server)
	times   int
	mayLose time.Duration // what was accepted in this time before the end may be lost
}

// outage is one time without Redis.
type outage struct{ down, up time.Time }

// crashRun is what happened in such a test.
type crashRun struct {
	accepted [2]journal[accepted] // by the queue, standard and FIFO
	ended    [2]journal[ended]
	refused  atomic.Int64 // pushes that got an error
	outages  []outage
}

type accepted struct {
	id    string
	group string
	at    time.Time
}

type ended struct {
	id string
	at time.Time
}

const (
	crashPushers = 4
	crashWorkers = 2
)

func crashRedis(t *testing.T, c crash) {
	s := redistest.Real(t, redistest.AppendFsync(c.fsync))
	var run crashRun
	queues := []*jobs.Queue[string]{jobs.NewQueue[string]("plain"), jobs.NewQueue[string]("line.fifo")}
	var handlers []jobs.Handler
	for i, q := range queues {
		handlers = append(handlers, q.Handle(func(ctx context.Context, _ string) error {
			job, _ := jobs.FromContext(ctx)
			run.ended[i].add(ended{job.ID, time.Now()})
			return nil
		}, jobs.Retries(-1), fast))
	}
	rdb := s.Client(t)
	for range crashWorkers {
		startWorker(t, s.Client(t), handlers...)
	}
	t.Cleanup(func() {
		if t.Failed() {
			showQueue(t, rdb, "plain")
			showQueue(t, rdb, "line.fifo")
		}
	})
	stop := run.startPushers(t, clientContext(s.Client(t), handlers...), queues)
	for range c.times {
		run.waitForMore(t, 200)
		o := outage{down: time.Now()}
		c.end(s)
		s.Start()
		o.up = time.Now()
		run.outages = append(run.outages, o)
		for i := range run.ended {
			run.ended[i].waitFor(t, len(run.ended[i].all())+1, "jobs to go on")
		}
		t.Logf("away for %v; jobs of both queues went on %v later",
			o.up.Sub(o.down).Round(time.Millisecond), time.Since(o.up).Round(time.Millisecond))
	}
	run.waitForMore(t, 200)
	stop()
	for i, q := range []string{"plain", "line.fifo"} {
		waitUntilEmpty(t, rdb, time.Minute, q)
		run.check(t, c, q, i)
	}
}

// startPushers pushes to both queues until stop is called. An error is no
// reason to stop; that job is simply not accepted.
func (r *crashRun) startPushers(t *testing.T, ctx context.Context, queues []*jobs.Queue[string]) (stop func()) {
	var all sync.WaitGroup
	var stopping atomic.Bool
	for pusher := range crashPushers {
		all.Go(func() {
			group := fmt.Sprint("group-", pusher)
			for n := 0; !stopping.Load(); n++ {
				payload := fmt.Sprint(pusher, "-", n)
				id, err := queues[0].Push(ctx, payload)
				r.accept(0, accepted{id, "", time.Now()}, err)
				id, err = queues[1].Group(group).Push(ctx, payload)
				r.accept(1, accepted{id, group, time.Now()}, err)
				time.Sleep(5 * time.Millisecond) // A pace that the workers can keep.
			}
		})
	}
	stop = func() {
		stopping.Store(true)
		all.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func (r *crashRun) accept(queue int, a accepted, err error) {
	if err != nil {
		r.refused.Add(1)
		return
	}
	r.accepted[queue].add(a)
}

// waitForMore waits until n more jobs of each queue were accepted and done.
func (r *crashRun) waitForMore(t *testing.T, n int) {
	t.Helper()
	for i := range r.accepted {
		r.accepted[i].waitFor(t, len(r.accepted[i].all())+n, "more pushes")
		r.ended[i].waitFor(t, len(r.ended[i].all())+n, "more jobs to be done")
	}
}

// check compares what was accepted with what was done.
func (r *crashRun) check(t *testing.T, c crash, queue string, i int) {
	t.Helper()
	ends := map[string][]time.Time{}
	for _, e := range r.ended[i].all() {
		ends[e.id] = append(ends[e.id], e.at)
	}
	lost, doubled := 0, 0
	last := map[string]time.Time{} // end of the last job of a group
	for _, a := range r.accepted[i].all() {
		times := ends[a.id]
		if len(times) == 0 {
			lost++
			if !r.justBefore(a.at, c.mayLose) {
				t.Errorf("%s: a job accepted at %v, %s, was lost", queue, a.at, r.relative(a.at))
			}
			continue
		}
		for _, at := range times[:len(times)-1] {
			doubled++
			if !r.justBefore(at, commitTime) {
				t.Errorf("%s: a job that had ended at %v, %s, was run again", queue, at, r.relative(at))
			}
		}
		if end := times[len(times)-1]; a.group != "" {
			if c.mayLose == 0 && end.Before(last[a.group]) {
				t.Errorf("%s: a job of %s was done for good before one that was pushed earlier", queue, a.group)
			}
			last[a.group] = end
		}
	}
	t.Logf("%s: %d jobs accepted, %d lost, %d run again; in both queues %d pushes got an error in %d outages",
		queue, len(r.accepted[i].all()), lost, doubled, r.refused.Load(), len(r.outages))
}

// justBefore reports whether something happened during an outage, or less than
// the given time before one.
func (r *crashRun) justBefore(at time.Time, within time.Duration) bool {
	for _, o := range r.outages {
		if within > 0 && at.After(o.down.Add(-within)) && at.Before(o.up) {
			return true
		}
	}
	return false
}

func (r *crashRun) relative(at time.Time) string {
	for _, o := range r.outages {
		if at.Before(o.up) {
			return fmt.Sprintf("%v before Redis went away", o.down.Sub(at).Round(time.Millisecond))
		}
	}
	return "after the last outage"
}

// A Redis that comes back refuses commands for a while, as long as it is
// loading its data. That says nothing of the command before, whose reply was
// lost.
func TestAnErrorAfterALostReplyStrandsNoJob(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	ctx := context.Background()
	proxy := redistest.NewProxy(t, rdb.Options().Addr)
	queue := jobs.NewQueue[string]("plain")
	handler := queue.Handle(ignore[string])
	startWorker(t, redistest.Client(t, proxy.Addr), handler)
	push := clientContext(rdb, handler)
	waitUntilGone(t, rdb, "plain", must(t)(queue.Push(push, "first"))) // Redis knows all scripts now.

	// The worker starts the job without hearing of it.
	proxy.CutReplies(1, ":pending")
	id := must(t)(queue.Push(push, "second"))
	waitForState(t, rdb, "plain", id, asynq.TaskStateActive)
	allow := func(how string) {
		t.Helper()
		if err := rdb.Do(ctx, "ACL", "SETUSER", "default", how+"evalsha", how+"eval").Err(); err != nil {
			t.Fatal(err)
		}
	}
	allow("-")
	proxy.CutReplies(0)
	refused := func() int { return strings.Count(rdb.Info(ctx, "errorstats").Val(), "errorstat_NOPERM") }
	redistest.Eventually(t, soon, "the worker to be refused", func() bool { return refused() > 0 })
	allow("+")
	waitUntilGone(t, rdb, "plain", id)
}
