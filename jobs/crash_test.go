package jobs_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// takeOver is the time within which the jobs of a worker that died are running
// elsewhere.
const takeOver = 15 * time.Second

// waitForNotes waits until a line has n notes of a kind.
func waitForNotes(t testing.TB, rdb *redis.Client, limit time.Duration, line, what string, n int) []note {
	t.Helper()
	redistest.Eventually(t, limit, fmt.Sprintf("%s %d of %s", what, n, line), func() bool {
		return len(with(what, notes(t, rdb, line))) >= n
	})
	return with(what, notes(t, rdb, line))
}

// held are jobs of each kind of queue whose runs go on until they are released.
type held struct {
	line, queue, id string
}

// pushHeld pushes held jobs and waits until they run. Behind the one in a group
// waits another, in the line "next".
func pushHeld(t testing.TB, rdb *redis.Client, each int) (all []held) {
	t.Helper()
	ctx := child{}.pushContext(t.Context(), rdb)
	for n := range each {
		for _, h := range []held{{queue: "acts"}, {queue: "acts-once"}, {queue: "acts.fifo"}} {
			h.line = fmt.Sprint(h.queue, "-", n)
			do := act{Line: h.line, N: n, Holds: true}
			switch h.queue {
			case "acts":
				h.id = must(t)(acts.Push(ctx, do))
			case "acts-once":
				h.id = must(t)(onceActs.Push(ctx, do))
			default:
				h.id = must(t)(fifoActs.Group(h.line).Push(ctx, do))
				must(t)(fifoActs.Group(h.line).Push(ctx, act{Line: "next", N: n}))
			}
			all = append(all, h)
		}
	}
	for _, h := range all {
		waitForNotes(t, rdb, soon, h.line, "start", 1)
	}
	return all
}

func TestJobsOfAKilledWorkerRunElsewhereUncharged(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	const each = 3
	victim := startWorkerProcess(t, rdb, "victim", 0)
	jobsHeld := pushHeld(t, rdb, each)
	startWorkerProcess(t, rdb, "heir", 0)
	killedAt := victim.kill()
	var longest time.Duration
	for _, h := range jobsHeld {
		second := waitForNotes(t, rdb, 2*takeOver, h.line, "start", 2)[1]
		longest = max(longest, second.At.Sub(killedAt))
		if second.Attempt != 2 || second.Worker != "heir" {
			t.Errorf("%s: run again as %+v, want attempt 2", h.line, second)
		}
		info, err := inspect(rdb).GetTaskInfo(h.queue, h.id)
		if err != nil || info.State != asynq.TaskStateActive || info.Retried != 0 || info.LastErr != "" {
			t.Errorf("%s: the dashboard shows %+v, %v, want it active and nothing charged", h.line, info, err)
		}
	}
	t.Logf("%d jobs of a killed worker ran elsewhere, the last %v after the kill", len(jobsHeld), longest.Round(time.Millisecond))
	if longest > takeOver {
		t.Errorf("that took longer than %v", takeOver)
	}
	if runs := notes(t, rdb, "next"); len(runs) > 0 {
		t.Errorf("a job overtook the one before it in its group: %+v", runs)
	}
	release(t, rdb, "heir")
	for _, h := range jobsHeld {
		waitUntilGone(t, rdb, h.queue, h.id)
		if runs := notes(t, rdb, h.line); len(runs) != 3 || runs[2].What != "end" {
			t.Errorf("%s: the runs are %+v", h.line, runs)
		}
	}
	waitForNotes(t, rdb, soon, "next", "end", each)
}

// TestAWorkerStalledPastItsLeaseCannotCommit checks that a worker that stood still for longer than its lease
// can do no harm to the jobs that were taken over from it.
func TestAWorkerStalledPastItsLeaseCannotCommit(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	ctx := child{}.pushContext(t.Context(), rdb)
	// With one job of a queue at a time, the next starts when the outcome of the
	// one before was written, or refused.
	stalled := startWorkerProcess(t, rdb, "stalled", 1)
	jobsHeld := pushHeld(t, rdb, 1)
	startWorkerProcess(t, rdb, "heir", 1)
	stalled.signal(syscall.SIGSTOP)
	stoppedAt := time.Now()
	var longest time.Duration
	for _, h := range jobsHeld {
		second := waitForNotes(t, rdb, 2*takeOver, h.line, "start", 2)[1]
		longest = max(longest, second.At.Sub(stoppedAt))
	}
	t.Logf("%d jobs of a stopped worker ran elsewhere, the last %v after the stop", len(jobsHeld), longest.Round(time.Millisecond))
	if longest > takeOver {
		t.Errorf("that took longer than %v", takeOver)
	}

	// It ends its runs while those that took over go on.
	release(t, rdb, "stalled")
	stalled.signal(syscall.SIGCONT)
	for _, h := range jobsHeld {
		if n := waitForNotes(t, rdb, soon, h.line, "end", 1)[0]; n.Worker != "stalled" || n.Attempt != 1 {
			t.Errorf("%s: the first end is %+v, want that of the worker that stood still", h.line, n)
		}
	}
	// It goes on working, and when it does its outcomes have been refused.
	must(t)(acts.Push(ctx, act{Line: "later-acts"}))
	must(t)(onceActs.Push(ctx, act{Line: "later-acts-once"}))
	must(t)(fifoActs.Group("later").Push(ctx, act{Line: "later-acts.fifo"}))
	for _, h := range jobsHeld {
		if n := waitForNotes(t, rdb, soon, "later-"+h.queue, "end", 1)[0]; n.Worker != "stalled" {
			t.Errorf("%s: the later job was done by %q", h.queue, n.Worker)
		}
		info, err := inspect(rdb).GetTaskInfo(h.queue, h.id)
		if err != nil || info.State != asynq.TaskStateActive || info.Retried != 0 {
			t.Errorf("%s: after the refused outcome the dashboard shows %+v, %v, want it active", h.line, info, err)
		}
	}
	if runs := notes(t, rdb, "next"); len(runs) > 0 {
		t.Errorf("the refused outcome let the next job of the group run: %+v", runs)
	}

	release(t, rdb, "heir")
	for _, h := range jobsHeld {
		waitUntilGone(t, rdb, h.queue, h.id)
	}
	waitForNotes(t, rdb, soon, "next", "end", 1)
	for _, queue := range []string{"acts", "acts-once", "acts.fifo"} {
		waitUntilEmpty(t, rdb, soon, queue)
	}
	for _, h := range jobsHeld {
		if runs := notes(t, rdb, h.line); len(runs) != 4 || runs[3].What != "end" || runs[3].Worker != "heir" {
			t.Errorf("%s: the runs are %+v, want two starts and two ends", h.line, runs)
		}
	}
}

func TestAWorkerStoppedForAMomentKeepsItsJobs(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	worker := startWorkerProcess(t, rdb, "worker", 0)
	jobsHeld := pushHeld(t, rdb, 1)
	startWorkerProcess(t, rdb, "other", 0)
	worker.signal(syscall.SIGSTOP)
	time.Sleep(3 * time.Second) // The stop is what is tested.
	worker.signal(syscall.SIGCONT)
	release(t, rdb, "worker")
	for _, h := range jobsHeld {
		waitUntilGone(t, rdb, h.queue, h.id)
		runs := notes(t, rdb, h.line)
		if len(runs) != 2 || runs[1].What != "end" || runs[0].Worker != "worker" || runs[1].Worker != "worker" {
			t.Errorf("%s: the runs are %+v, want one by the worker that was stopped", h.line, runs)
		}
	}
}

func TestAStoppedPusherLosesNothing(t *testing.T) {
	// Longer than the three seconds for which go-redis waits for a reply.
	stopPusher(t, 100, 4*time.Second)
}

// stopPusher stops a pusher at random moments, once for long, and kills it in
// the end, while another one pushes to the same group.
func stopPusher(t *testing.T, times int, long time.Duration) {
	rdb := redistest.Real(t).Client(t)
	startWorkerProcess(t, rdb, "worker", 0)
	pusher := start(t, rdb, child{Role: "stream", Name: "pusher", Groups: []string{"g"}, Act: act{Line: "stream"}})
	other := pushAlong(t, rdb)
	pusher.lines.waitFor(t, 1, "the pusher to push")
	for i := range times {
		time.Sleep(rand.N(15 * time.Millisecond)) // The moments are random.
		pusher.signal(syscall.SIGSTOP)
		if i == times/2 {
			stoppedAt := time.Now()
			// What the other one pushes from now on is done meanwhile.
			pushed := len(other.ids.all())
			waitForNotes(t, rdb, soon, "along", "end", pushed+20)
			t.Logf("stopped for %v; %d jobs of the other pusher were done %v after the stop",
				long, 20, time.Since(stoppedAt).Round(time.Millisecond))
			time.Sleep(time.Until(stoppedAt.Add(long)))
		} else {
			time.Sleep(rand.N(15 * time.Millisecond))
		}
		pusher.signal(syscall.SIGCONT)
	}
	time.Sleep(rand.N(15 * time.Millisecond))
	pusher.kill()
	other.stop()
	waitUntilEmpty(t, rdb, 2*time.Minute, "acts.fifo")

	extra := expectOnceInOrder(t, pusher.lines.all(), notes(t, rdb, "stream"))
	if extra > 1 {
		t.Errorf("%d more jobs than ids, but only one push can have been interrupted by the kill", extra)
	}
	if extra := expectOnceInOrder(t, other.ids.all(), notes(t, rdb, "along")); extra > 0 {
		t.Errorf("%d more jobs than pushes", extra)
	}
	t.Logf("stopped %d times: %d ids returned, all run once, and %d of the other pusher's", times, len(pusher.lines.all()), len(other.ids.all()))
}

// expectOnceInOrder checks that the jobs with the ids were run once each, in
// this order, and returns how many came after them.
func expectOnceInOrder(t *testing.T, ids []string, all []note) (extra int) {
	t.Helper()
	runs := with("start", all)
	for i, id := range ids {
		if i >= len(runs) {
			t.Fatalf("%d jobs of %d whose id was returned were not run", len(ids)-len(runs), len(ids))
		}
		if runs[i].ID != id || runs[i].N != i || runs[i].Attempt != 1 || i > 0 && runs[i].Sequence <= runs[i-1].Sequence {
			t.Fatalf("run %d is %+v, want the job %s", i, runs[i], id)
		}
	}
	return len(runs) - len(ids)
}

// along is a pusher in the test's own process.
type along struct {
	ids  journal[string]
	stop func()
}

// pushAlong pushes to the group g every few milliseconds until it is stopped.
func pushAlong(t *testing.T, rdb *redis.Client) *along {
	var a along
	var stopping atomic.Bool
	ended := make(chan struct{})
	ctx := child{}.pushContext(context.Background(), rdb)
	go func() {
		defer close(ended)
		for n := 0; !stopping.Load(); n++ {
			id, err := fifoActs.Group("g").Push(ctx, act{Line: "along", N: n})
			if err != nil {
				t.Error(err)
				return
			}
			a.ids.add(id)
			time.Sleep(5 * time.Millisecond) // A pace that the worker can keep.
		}
	}()
	a.stop = func() {
		stopping.Store(true)
		<-ended
	}
	t.Cleanup(a.stop)
	return &a
}

func TestAJobThatKillsItsWorkersIsGivenUp(t *testing.T) {
	// The leases of the dead are ended by hand, to save the wait for it.
	killedByAPoisonJob(t, func(rdb *redis.Client) {
		const live = "queuerun:{workers}:live"
		members := rdb.ZRange(t.Context(), live, 0, -1).Val()
		if len(members) == 0 {
			t.Fatal("no worker has a lease")
		}
		for _, member := range members {
			rdb.ZAdd(t.Context(), live, redis.Z{Score: 1, Member: member})
		}
	})
}

// killedByAPoisonJob runs a job that kills each worker that starts it, with
// workers that are replaced, until it is given up.
func killedByAPoisonJob(t *testing.T, died func(rdb *redis.Client)) {
	rdb := redistest.Real(t).Client(t)
	ctx := child{}.pushContext(t.Context(), rdb)
	poison := must(t)(fifoActs.Group("g").Push(ctx, act{Line: "poison", Kills: true}))
	behind := must(t)(fifoActs.Group("g").Push(ctx, act{Line: "behind"}))
	began := time.Now()
	const starts = 5
	for n := range starts {
		w := startWorkerProcess(t, rdb, fmt.Sprint("worker-", n), 0)
		waitForNotes(t, rdb, 2*takeOver, "poison", "start", n+1)
		if err := w.ended(); err == nil {
			t.Fatal("the worker was to kill itself")
		}
		died(rdb)
	}
	startWorkerProcess(t, rdb, "last", 0)
	redistest.Eventually(t, 2*takeOver, "the job to be given up", func() bool {
		info, err := inspect(rdb).GetTaskInfo("acts.fifo", poison)
		return err == nil && info.State == asynq.TaskStateArchived
	})
	t.Logf("given up %v after its first start", time.Since(began).Round(time.Millisecond))
	info, err := inspect(rdb).GetTaskInfo("acts.fifo", poison)
	if err != nil || info.Retried != 0 || info.LastErr == "" {
		t.Errorf("the dashboard shows %+v, %v, want nothing charged and the reason", info, err)
	} else {
		t.Logf("its last error: %s", info.LastErr)
	}
	waitUntilGone(t, rdb, "acts.fifo", behind)
	if runs := notes(t, rdb, "poison"); len(runs) != starts {
		t.Errorf("it was started %d times, want %d: %+v", len(runs), starts, runs)
	}
}
