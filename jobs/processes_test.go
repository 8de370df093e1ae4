package jobs_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// The tests of whole processes run this test binary again, as a worker or a
// pusher that takes its orders from the environment.
const childVariable = "JOBS_TEST_CHILD"

// child is what a process is started for.
type child struct {
	Role        string // a key of roles
	Name        string // tells the processes of a test apart
	Redis       string // address
	Concurrency int    // of a worker, for each queue; 0 is the default
	Groups      []string
	Each        int // how many jobs a pusher pushes, to each of its groups
	Act         act // what they do
}

// act is a job that does what its payload says.
type act struct {
	Line  string        // the list in which its runs are written down
	N     int           // its number in the line, from 0
	Takes time.Duration // at most
	Fails int           // how many runs in a hundred fail
	Holds bool          // the run goes on until the test releases its worker
	Kills bool          // its worker dies
}

var (
	acts     = jobs.NewQueue[act]("acts")
	onceActs = jobs.NewQueue[act]("acts-once") // handled without a retry
	fifoActs = jobs.NewQueue[act]("acts.fifo")
)

// handlers are those of worker processes. Their journal is in Redis, since a
// process that is killed cannot be asked any more.
func (a actor) handlers(concurrency int) []jobs.Handler {
	if concurrency == 0 {
		concurrency = 10
	}
	options := []jobs.HandlerOption{fast, jobs.Concurrency(concurrency)}
	return []jobs.Handler{
		acts.Handle(a.run, options...),
		onceActs.Handle(a.run, append(options, jobs.Retries(0))...),
		fifoActs.Handle(a.run, append(options, jobs.Retries(-1))...),
	}
}

// note is written down by a handler when a run starts and when it ends.
type note struct {
	Worker   string
	What     string // "start", "end" or "fail"
	ID       string
	N        int
	Attempt  int
	Sequence int64
	Gone     bool // at the start the job was not in the queue any more
	At       time.Time
}

func lineKey(line string) string      { return "test:line:" + line }
func releaseKey(worker string) string { return "test:release:" + worker }

// actor runs the acts of a worker process.
type actor struct {
	name string
	rdb  *redis.Client
}

func (a actor) run(ctx context.Context, do act) error {
	ctx = context.WithoutCancel(ctx) // A run that lost its lease is to go on and try to commit.
	job, _ := jobs.FromContext(ctx)
	n := note{Worker: a.name, What: "start", ID: job.ID, N: do.N, Attempt: job.Attempt, Sequence: job.Sequence}
	exists, err := a.rdb.Exists(ctx, "asynq:{"+job.Queue+"}:t:"+job.ID).Result()
	if err != nil {
		return err
	}
	n.Gone = exists == 0
	if err := a.write(ctx, do.Line, n); err != nil {
		return err
	}
	if do.Kills {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if do.Holds {
		a.hold(ctx)
	}
	if do.Takes > 0 {
		time.Sleep(rand.N(do.Takes))
	}
	n.What, n.Gone = "end", false
	if rand.IntN(100) < do.Fails {
		n.What = "fail"
	}
	if err := a.write(ctx, do.Line, n); err != nil {
		return err
	}
	if n.What == "fail" {
		return errors.New("failing on purpose")
	}
	return nil
}

func (a actor) write(ctx context.Context, line string, n note) error {
	n.At = time.Now()
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return a.rdb.RPush(ctx, lineKey(line), data).Err()
}

func (a actor) hold(ctx context.Context) {
	for a.rdb.Exists(ctx, releaseKey(a.name)).Val() == 0 {
		time.Sleep(5 * time.Millisecond)
	}
}

// notes returns what was written down in a line so far.
func notes(t testing.TB, rdb *redis.Client, line string) []note {
	t.Helper()
	entries, err := rdb.LRange(context.Background(), lineKey(line), 0, -1).Result()
	if err != nil {
		t.Fatal(err)
	}
	all := make([]note, len(entries))
	for i, entry := range entries {
		if err := json.Unmarshal([]byte(entry), &all[i]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// with returns the notes of one kind.
func with(what string, all []note) (some []note) {
	for _, n := range all {
		if n.What == what {
			some = append(some, n)
		}
	}
	return some
}

func release(t testing.TB, rdb *redis.Client, worker string) {
	t.Helper()
	if err := rdb.Set(context.Background(), releaseKey(worker), 1, 0).Err(); err != nil {
		t.Fatal(err)
	}
}

var roles = map[string]func(ctx context.Context, c child, told <-chan struct{}) error{
	"worker": workerChild,
	"pusher": pusherChild,
	"stream": streamChild,
	"repeat": repeatChild,
}

func childMain(orders string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var c child
	err := json.Unmarshal([]byte(orders), &c)
	if err == nil {
		err = roles[c.Role](ctx, c, listen())
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", c.Role, c.Name, err)
		return 1
	}
	return 0
}

// listen passes on each line that the test writes, and ends the process when
// the test is gone.
func listen() <-chan struct{} {
	told := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			told <- struct{}{}
		}
		os.Exit(1)
	}()
	return told
}

func (c child) connect() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: c.Redis})
}

func workerChild(ctx context.Context, c child, _ <-chan struct{}) error {
	rdb := c.connect()
	defer rdb.Close()
	// What is written down must not be repeated after the process was stopped.
	ledger := redis.NewClient(&redis.Options{Addr: c.Redis, ReadTimeout: -1, MaxRetries: -1})
	defer ledger.Close()
	fmt.Println("working")
	w := &jobs.Worker{
		Redis:    rdb,
		Handlers: actor{c.Name, ledger}.handlers(c.Concurrency),
		Logger:   slog.New(slog.DiscardHandler),
	}
	return w.Run(ctx)
}

func (c child) pushContext(ctx context.Context, rdb *redis.Client) context.Context {
	client := jobs.NewClient(rdb)
	client.Handles = actor{}.handlers(1)
	return client.Context(ctx)
}

// pusherChild pushes to its groups by turns, to each in order.
func pusherChild(ctx context.Context, c child, _ <-chan struct{}) error {
	rdb := c.connect()
	defer rdb.Close()
	ctx = c.pushContext(ctx, rdb)
	for n := range c.Each {
		for _, group := range c.Groups {
			do := c.Act
			do.Line, do.N = group, n
			if _, err := fifoActs.Group(group).Push(ctx, do); err != nil {
				return err
			}
		}
	}
	return nil
}

// streamChild pushes to its first group without end and prints each id.
func streamChild(ctx context.Context, c child, _ <-chan struct{}) error {
	rdb := c.connect()
	defer rdb.Close()
	pushing := c.pushContext(context.Background(), rdb)
	for n := 0; ctx.Err() == nil; n++ {
		do := c.Act
		do.N = n
		id, err := fifoActs.Group(c.Groups[0]).Push(pushing, do)
		if err != nil {
			return err
		}
		fmt.Println(id)
	}
	return nil
}

// repeatChild pushes the same again and again at the same time, once for each
// time that it is told to, and prints the ids.
func repeatChild(ctx context.Context, c child, told <-chan struct{}) error {
	rdb := c.connect()
	defer rdb.Close()
	pushing := c.pushContext(context.Background(), rdb)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-told:
		}
		var all sync.WaitGroup
		for range c.Each {
			all.Go(func() {
				id, err := repeats[c.Act.Line](pushing, c.Act)
				if err != nil {
					id = err.Error()
				}
				fmt.Println(id)
			})
		}
		all.Wait()
	}
}

// process is one that a test started.
type process struct {
	child
	t     testing.TB
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines journal[string] // what it printed
	ended func() error
}

// start runs a child until the test ends.
func start(t testing.TB, rdb *redis.Client, c child) *process {
	t.Helper()
	c.Redis = rdb.Options().Addr
	orders, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{child: c, t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childVariable+"="+string(orders))
	p.cmd.Stderr = os.Stderr
	p.in, err = p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.lines.add(strings.TrimSpace(lines.Text()))
		}
	}()
	p.ended = sync.OnceValue(func() error {
		<-read
		return p.cmd.Wait()
	})
	t.Cleanup(func() { p.kill() })
	return p
}

// startWorkerProcess returns when the worker begins to work.
func startWorkerProcess(t testing.TB, rdb *redis.Client, name string, concurrency int) *process {
	t.Helper()
	p := start(t, rdb, child{Role: "worker", Name: name, Concurrency: concurrency})
	p.lines.waitFor(t, 1, name+" to start")
	return p
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatalf("signal %s: %v", p.Name, err)
	}
}

// kill ends the process with SIGKILL and returns when that was done.
func (p *process) kill() time.Time {
	at := time.Now()
	_ = p.cmd.Process.Kill() // It may have ended by itself.
	_ = p.ended()            // A killed process has no good status.
	return at
}

func (p *process) expectEnd() {
	p.t.Helper()
	if err := p.ended(); err != nil {
		p.t.Errorf("%s ended with: %v", p.Name, err)
	}
}

func (p *process) tell() {
	p.t.Helper()
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		p.t.Fatalf("tell %s: %v", p.Name, err)
	}
}

// queueIsEmpty reports whether nothing is left of a queue, neither waiting nor
// running nor archived.
func queueIsEmpty(rdb redis.UniversalClient, queue string) bool {
	all, err := inspect(rdb).Queues()
	if err == nil && !slices.Contains(all, queue) {
		return true // Nothing was ever pushed to it.
	}
	info, err := inspect(rdb).GetQueueInfo(queue)
	return err == nil && info.Size+info.Archived == 0
}

func waitUntilEmpty(t testing.TB, rdb redis.UniversalClient, limit time.Duration, queue string) {
	t.Helper()
	redistest.Eventually(t, limit, "queue "+queue+" to be empty", func() bool { return queueIsEmpty(rdb, queue) })
}

// showQueue logs what is in a queue and whose its active jobs are.
func showQueue(t testing.TB, rdb redis.UniversalClient, queue string) {
	t.Helper()
	ctx, prefix := context.Background(), "asynq:{"+queue+"}:"
	info, err := inspect(rdb).GetQueueInfo(queue)
	if err != nil || info.Size == 0 {
		return
	}
	t.Logf("left in %s: %d pending, %d active, %d scheduled, %d retry", queue, info.Pending, info.Active, info.Scheduled, info.Retry)
	for _, id := range rdb.LRange(ctx, prefix+"active", 0, 20).Val() {
		t.Logf("%s: active %s %v", queue, id, rdb.HMGet(ctx, prefix+"t:"+id, "run", "starts", "fifo_group", "fifo_seq").Val())
	}
}
