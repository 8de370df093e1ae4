package scheduler_test

import (
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// fleet is three scheduler processes, one of which leads, beside two workers. The
// clock of one scheduler is two seconds ahead and that of another two behind.
type fleet struct {
	t          *testing.T
	rdb        *redis.Client
	addr       string
	schedulers map[int]*process      // by process id
	skews      map[int]time.Duration // by process id
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	server := redistest.Real(t)
	f := &fleet{t, server.Client(t), server.Addr, map[int]*process{}, map[int]time.Duration{}}
	for range 2 {
		launch(t, child{Role: "worker", Redis: f.addr})
	}
	for _, skew := range []time.Duration{2 * time.Second, 0, -2 * time.Second} {
		f.add(skew)
	}
	eventually(t, "the first tick", func() bool { return len(begunRuns(t, f.rdb, "pulse")) > 0 })
	return f
}

func (f *fleet) add(skew time.Duration) {
	f.t.Helper()
	p := launch(f.t, child{Role: "scheduler", Redis: f.addr, Skew: skew})
	f.schedulers[p.cmd.Process.Pid], f.skews[p.cmd.Process.Pid] = p, skew
}

// leader waits until there is one.
func (f *fleet) leader() *process {
	f.t.Helper()
	var p *process
	eventually(f.t, "a leader", func() bool {
		p = f.schedulers[leader(f.t, f.rdb)]
		return p != nil
	})
	return p
}

// killLeader kills it and starts another in its place.
func (f *fleet) killLeader() {
	f.t.Helper()
	p := f.leader()
	pid := p.cmd.Process.Pid
	p.kill()
	delete(f.schedulers, pid)
	f.add(f.skews[pid])
	f.t.Logf("killed the leader, whose clock was %v ahead", f.skews[pid])
}

// stopLeader stops it for a while.
func (f *fleet) stopLeader(d time.Duration) {
	f.t.Helper()
	p := f.leader()
	p.signal(syscall.SIGSTOP)
	<-time.After(d)
	p.signal(syscall.SIGCONT)
	f.t.Logf("stopped the leader for %v, whose clock was %v ahead", d, f.skews[p.cmd.Process.Pid])
}

// check waits for the runs of all ticks up to now, and fails the test unless each
// was pushed and run once, and none early.
func (f *fleet) check() {
	f.t.Helper()
	now, err := f.rdb.Time(f.t.Context()).Result()
	if err != nil {
		f.t.Fatal(err)
	}
	last := now.Truncate(time.Second)
	eventually(f.t, "the last tick", func() bool {
		return slices.ContainsFunc(begunRuns(f.t, f.rdb, "pulse"), func(b begun) bool { return !b.At.Before(last) })
	})
	for _, p := range f.schedulers {
		p.signal(syscall.SIGTERM)
		p.end()
	}
	// A tick that was pushed twice would be counted twice.
	var runs []begun
	eventually(f.t, "all jobs to have ended", func() bool {
		runs = begunRuns(f.t, f.rdb, "pulse")
		return f.rdb.Get(f.t.Context(), "asynq:{schedules}:processed").Val() == strconv.Itoa(len(runs)) &&
			f.rdb.LLen(f.t.Context(), "asynq:{schedules}:pending").Val() == 0
	})
	slices.SortFunc(runs, func(a, b begun) int { return a.At.Compare(b.At) })
	late := make([]time.Duration, len(runs))
	for i, b := range runs {
		if i > 0 && b.At.Sub(runs[i-1].At) != time.Second {
			f.t.Errorf("the tick after %v is that of %v", runs[i-1].At, b.At)
		}
		if late[i] = b.Now.Sub(b.At); late[i] < 0 {
			f.t.Errorf("the tick of %v was run %v early", b.At, -late[i])
		}
		if b.ID != fmt.Sprintf("pulse:%d", b.At.Unix()) || b.Attempt != 1 {
			f.t.Errorf("got %+v", b)
		}
	}
	slices.Sort(late)
	f.t.Logf("%d ticks, each run once; late: half of them up to %v, all up to %v", len(runs), late[len(late)/2], late[len(late)-1])
}

func TestEachTickIsRunOnceWhateverHappensToTheSchedulers(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.killLeader()
	<-time.After(2 * time.Second) // more ticks
	f.stopLeader(4 * time.Second)
	f.killLeader()
	<-time.After(2 * time.Second)
	f.check()
}
