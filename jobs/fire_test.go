package jobs_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestFIFOUnderFire(t *testing.T) {
	underFire(t, fire{groups: 30, each: 30, kills: 3, every: 2 * time.Second, takes: 200 * time.Millisecond, concurrency: 4})
}

// fire is a test in which workers are killed while groups are worked on.
type fire struct {
	groups, each int
	kills        int // at most
	every        time.Duration
	takes        time.Duration // a handler, at most
	concurrency  int           // of a worker
}

// underFire checks what FIFO queues promise while processes push, fail and die.
func underFire(t *testing.T, f fire) {
	rdb := redistest.Real(t).Client(t)
	var groups []string
	for g := range f.groups {
		groups = append(groups, fmt.Sprint("group-", g))
	}
	began := time.Now()
	pushers := f.startPushers(t, rdb, groups)
	killed := f.killWorkers(t, rdb, pushers)
	took := time.Since(began)
	var sum lineStory
	for _, group := range groups {
		story := lineStory{killed: killed}
		for _, n := range notes(t, rdb, group) {
			if err := story.tell(n); err != nil {
				t.Errorf("%s: %v: %+v", group, err, n)
			}
		}
		if !story.isOver(f.each) {
			t.Errorf("%s: the last of %d jobs was not done; the last note is %+v", group, f.each, story.last)
		}
		sum.add(story)
	}
	t.Logf("%d jobs in %d groups took %v; %d workers were killed; %d runs failed, %d were interrupted, %d jobs were run again after they had ended",
		f.groups*f.each, f.groups, took.Round(time.Millisecond), len(killed), sum.failed, sum.interrupted, sum.again)
	if len(killed) == 0 || sum.failed == 0 {
		t.Error("nothing was killed or nothing failed: the test is too short")
	}
}

// startPushers starts four pushers, each with groups of its own, so that the
// order of the pushes to a group is known.
func (f fire) startPushers(t *testing.T, rdb *redis.Client, groups []string) (pushers []*process) {
	t.Helper()
	const n = 4
	for i := range n {
		var its []string
		for g := i; g < len(groups); g += n {
			its = append(its, groups[g])
		}
		pushers = append(pushers, start(t, rdb, child{
			Role: "pusher", Name: fmt.Sprint("pusher-", i), Groups: its, Each: f.each,
			Act: act{Takes: f.takes, Fails: 10},
		}))
	}
	return pushers
}

// killWorkers runs three workers until all jobs are done, and kills and
// replaces them by turns. It returns who was killed, and when.
func (f fire) killWorkers(t *testing.T, rdb *redis.Client, pushers []*process) map[string]time.Time {
	t.Helper()
	killed := map[string]time.Time{}
	startNext := func(i int) *process {
		return startWorkerProcess(t, rdb, fmt.Sprint("worker-", i), f.concurrency)
	}
	workers := []*process{startNext(0), startNext(1), startNext(2)}
	fire := time.NewTicker(f.every)
	defer fire.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	pushed := make(chan struct{})
	go func() {
		defer close(pushed)
		for _, p := range pushers {
			_ = p.ended()
		}
	}()
	limit := time.After(10 * time.Minute)
	for over := false; !over; {
		select {
		case <-fire.C:
			if n := len(killed); n < f.kills {
				victim := n % len(workers)
				killed[workers[victim].Name] = workers[victim].kill()
				workers[victim] = startNext(n + len(workers))
			}
		case <-look.C:
			select {
			case <-pushed:
				over = queueIsEmpty(rdb, "acts.fifo")
			default:
			}
		case <-limit:
			t.Fatal("the jobs are not done after 10 minutes")
		}
	}
	for _, p := range append(pushers, workers...) {
		if p.Role == "worker" {
			p.signal(syscall.SIGTERM)
		}
		p.expectEnd()
	}
	return killed
}

// lineStory follows the notes of a group and finds what must not happen.
type lineStory struct {
	killed                     map[string]time.Time
	last                       note
	failed, interrupted, again int
}

// commitTime is how long after the end of a handler its outcome may not have
// been written yet.
const commitTime = 2 * time.Second

func (s *lineStory) tell(n note) error {
	last := s.last
	s.last = n
	if n.What != "start" {
		if last.What != "start" || last.ID != n.ID || last.Worker != n.Worker || last.Attempt != n.Attempt {
			return fmt.Errorf("ended by whom did not have it, after %+v", last)
		}
		if n.What == "fail" {
			s.failed++
		}
		return nil
	}
	return s.start(last, n)
}

func (s *lineStory) start(last, n note) error {
	killedAt, killed := s.killed[last.Worker]
	isNext := n.N == last.N+1
	switch {
	case n.Gone:
		return fmt.Errorf("started when it was not in the queue")
	case last.What == "":
		if n.N != 0 {
			return fmt.Errorf("started first")
		}
		return nil
	case isNext && (last.What != "end" || n.ID == last.ID || n.Sequence <= last.Sequence):
		return fmt.Errorf("started before %+v was done", last)
	case isNext:
		return nil
	case n.N != last.N || n.ID != last.ID || n.Attempt <= last.Attempt:
		return fmt.Errorf("started out of order after %+v", last)
	case last.What == "fail":
		return nil
	case !killed || n.At.Before(killedAt):
		return fmt.Errorf("started again beside or after %+v, whose worker lives", last)
	case last.What == "start":
		s.interrupted++
		return nil
	case killedAt.Sub(last.At) > commitTime:
		return fmt.Errorf("started again %v after %+v, long before its worker was killed", n.At.Sub(last.At), last)
	}
	s.again++
	return nil
}

func (s *lineStory) isOver(each int) bool { return s.last.N == each-1 && s.last.What == "end" }

func (s *lineStory) add(other lineStory) {
	s.failed += other.failed
	s.interrupted += other.interrupted
	s.again += other.again
}

// A checker that finds nothing would be worth nothing.
func TestLineStoryFindsWhatMustNotHappen(t *testing.T) {
	now := time.Now()
	at := func(n int, worker, what string, attempt int, after time.Duration) note {
		return note{N: n, ID: fmt.Sprint(n), Sequence: int64(n), Worker: worker, What: what, Attempt: attempt, At: now.Add(after)}
	}
	killed := map[string]time.Time{"dead": now.Add(10 * time.Second)}
	gone := at(0, "a", "start", 1, 0)
	gone.Gone = true
	other := at(0, "b", "start", 2, 1)
	other.ID = "other"
	for name, c := range map[string]struct {
		notes []note
		bad   bool
	}{
		"in order":             {[]note{at(0, "a", "start", 1, 0), at(0, "a", "fail", 1, 1), at(0, "b", "start", 2, 2), at(0, "b", "end", 2, 3), at(1, "a", "start", 1, 4)}, false},
		"killed inside":        {[]note{at(0, "dead", "start", 1, 0), at(0, "b", "start", 2, 20*time.Second)}, false},
		"killed after":         {[]note{at(0, "dead", "start", 1, 0), at(0, "dead", "end", 1, 9*time.Second), at(0, "b", "start", 2, 20*time.Second)}, false},
		"killed long after":    {[]note{at(0, "dead", "start", 1, 0), at(0, "dead", "end", 1, time.Second), at(0, "b", "start", 2, 20*time.Second)}, true},
		"beside the living":    {[]note{at(0, "a", "start", 1, 0), at(0, "b", "start", 2, 1)}, true},
		"before the kill":      {[]note{at(0, "dead", "start", 1, 0), at(0, "b", "start", 2, 1)}, true},
		"after the end":        {[]note{at(0, "a", "start", 1, 0), at(0, "a", "end", 1, 1), at(0, "b", "start", 2, 2)}, true},
		"after a later one":    {[]note{at(0, "a", "start", 1, 0), at(0, "a", "end", 1, 1), at(1, "a", "start", 1, 2), at(0, "b", "start", 2, 3)}, true},
		"one left out":         {[]note{at(0, "a", "start", 1, 0), at(0, "a", "end", 1, 1), at(2, "a", "start", 1, 2)}, true},
		"next after a failure": {[]note{at(0, "a", "start", 1, 0), at(0, "a", "fail", 1, 1), at(1, "a", "start", 1, 2)}, true},
		"not the first":        {[]note{at(1, "a", "start", 1, 0)}, true},
		"gone":                 {[]note{gone}, true},
		"pushed twice":         {[]note{at(0, "dead", "start", 1, 0), other}, true},
		"ended by another":     {[]note{at(0, "a", "start", 1, 0), at(0, "b", "end", 1, 1)}, true},
	} {
		s := lineStory{killed: killed}
		var err error
		for _, n := range c.notes {
			if e := s.tell(n); e != nil {
				err = e
			}
		}
		if (err != nil) != c.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// repeats are the pushes that are repeated by several processes at once: to
// Redis they are all the same job.
var repeats = map[string]func(ctx context.Context, do act) (string, error){
	"dedupe id": func(ctx context.Context, do act) (string, error) {
		return fifoActs.Group("g").Dedupe("one").Push(ctx, do)
	},
	"payload": func(ctx context.Context, do act) (string, error) {
		return fifoActs.Group("g").Push(ctx, do)
	},
	"unique payload": func(ctx context.Context, do act) (string, error) {
		return acts.Push(ctx, do, jobs.Unique(time.Minute))
	},
}

func TestAThousandRepeatsFromFourProcessesAreOneJob(t *testing.T) {
	for how := range repeats {
		t.Run(how, func(t *testing.T) { pushRepeats(t, how) })
	}
}

func pushRepeats(t *testing.T, how string) {
	rdb := redistest.Real(t).Client(t)
	const processes, each = 4, 250
	var pushers []*process
	for i := range processes {
		pushers = append(pushers, start(t, rdb, child{Role: "repeat", Name: fmt.Sprint("pusher-", i), Each: each, Act: act{Line: how}}))
	}
	ids := func(round int) map[string]int {
		for _, p := range pushers {
			p.tell()
		}
		count := map[string]int{}
		for _, p := range pushers {
			for _, id := range p.lines.waitFor(t, round*each, "the ids of "+p.Name)[(round-1)*each:] {
				count[id]++
			}
		}
		return count
	}
	first := ids(1)
	if len(first) != 1 {
		t.Fatalf("the pushes returned %d different results: %v", len(first), first)
	}
	startWorkerProcess(t, rdb, "worker", 1)
	for id := range first {
		waitUntilGone(t, rdb, "acts.fifo", id)
		waitUntilGone(t, rdb, "acts", id)
		if again := ids(2); again[id] != processes*each {
			t.Errorf("after the job was done the pushes returned %v, want %q only", again, id)
		}
	}
	waitUntilEmpty(t, rdb, soon, "acts.fifo")
	waitUntilEmpty(t, rdb, soon, "acts")
	if runs := notes(t, rdb, how); len(runs) != 2 || runs[0].What != "start" || runs[1].What != "end" || first[runs[0].ID] == 0 {
		t.Errorf("the job's runs are %+v, want one", runs)
	}
	t.Logf("%d pushes from %d processes, and again when the job was done: 1 job", processes*each, processes)
}
