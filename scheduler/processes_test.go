package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// The tests of whole processes run this test binary again, as a scheduler or a
// worker that takes its orders from the environment.
const childVariable = "SCHEDULER_TEST_CHILD"

// child is what a process is started for.
type child struct {
	Role  string        // "scheduler" or "worker"
	Redis string        // address
	Skew  time.Duration // of its clock
}

const (
	runsList    = "test:runs"    // runs that have begun, as JSON
	releaseList = "test:release" // ends a run of "held"
)

// begun is a run that has begun, as its function writes it down.
type begun struct {
	scheduler.Run
	Worker  int       // its process
	Attempt int       // of the job
	Now     time.Time // by Redis' clock
}

// ofProcesses are the schedules that processes know.
func ofProcesses(rdb *redis.Client) []scheduler.Schedule {
	note := func(ctx context.Context) error {
		now, err := rdb.Time(ctx).Result()
		if err != nil {
			return err
		}
		job, _ := jobs.FromContext(ctx)
		tick, _ := scheduler.FromContext(ctx)
		data, err := json.Marshal(begun{tick, os.Getpid(), job.Attempt, now})
		if err != nil {
			return err
		}
		return rdb.RPush(ctx, runsList, data).Err()
	}
	hold := func(ctx context.Context) error {
		if err := note(ctx); err != nil {
			return err
		}
		return rdb.BLPop(ctx, 0, releaseList).Err()
	}
	return []scheduler.Schedule{
		scheduler.New("pulse", "every second", note, scheduler.Overlap(scheduler.Allow), scheduler.CatchUp(scheduler.All(1000)),
			scheduler.Timeout(time.Minute)),
		scheduler.New("held", "never", hold),
		scheduler.New("queued", "never", hold, scheduler.Overlap(scheduler.Queue)),
	}
}

func childMain(orders string) error {
	var c child
	if err := json.Unmarshal([]byte(orders), &c); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	rdb := redis.NewClient(&redis.Options{Addr: c.Redis})
	defer rdb.Close()
	schedules := ofProcesses(rdb)
	if c.Role == "worker" {
		return newWorker(rdb, schedules...).Run(ctx)
	}
	s := newScheduler(rdb, schedules...)
	s.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	s.SetClock(func() time.Time { return time.Now().Add(c.Skew) })
	return s.Run(ctx)
}

// process is a running child.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	end func()
	err strings.Builder
}

func launch(t *testing.T, c child) *process {
	t.Helper()
	orders, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(orders))
	p.cmd.Stdout, p.cmd.Stderr = io.Discard, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.end = sync.OnceFunc(func() { p.cmd.Wait() })
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the %s %d wrote:\n%s", c.Role, p.cmd.Process.Pid, p.err.String())
		}
	})
	return p
}

// kill ends the process with SIGKILL and waits for it.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.end()
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// begunRuns returns the runs of a schedule that have begun, in this order.
func begunRuns(t *testing.T, rdb *redis.Client, name string) []begun {
	t.Helper()
	var runs []begun
	for _, data := range rdb.LRange(t.Context(), runsList, 0, -1).Val() {
		var b begun
		if err := json.Unmarshal([]byte(data), &b); err != nil {
			t.Fatal(err)
		}
		if b.Name == name {
			runs = append(runs, b)
		}
	}
	return runs
}

// leader returns the process id of the scheduler that leads, or 0.
func leader(t *testing.T, rdb *redis.Client) int {
	t.Helper()
	parts := strings.Split(rdb.Get(t.Context(), "queuerun:{schedules}:leader").Val(), ":")
	if len(parts) != 3 {
		return 0
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(fmt.Errorf("the leader is %q", parts))
	}
	return pid
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	redistest.Eventually(t, time.Minute, what, cond)
}
