package socket

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
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
	"github.com/redis/go-redis/v9"
)

// The tests of whole processes run this test binary again, as a socket server
// or a worker that is configured by its environment.
const (
	roleVariable    = "SOCKET_TEST_ROLE"     // "socket", "worker", "clients", "sender", "mailer" or "herd"
	redisVariable   = "SOCKET_TEST_REDIS"    // address
	senderVariable  = "SOCKET_TEST_SENDER"   // address of the Redis that Send goes through
	failVariable    = "SOCKET_TEST_FAIL"     // how many in a hundred presence handlers fail
	leaseVariable   = "SOCKET_TEST_LEASE"    // Server.Lease
	perUserVariable = "SOCKET_TEST_PER_USER" // Server.MaxPerUser
)

// burst is a job that sends messages to users by turns.
type burst struct{ Sender, Messages, Users int }

var bursts = jobs.NewQueue[burst]("bursts")

func (b burst) send(ctx context.Context) error {
	for i := range b.Messages {
		user := fmt.Sprintf("user-%d", i%b.Users)
		if err := To(user).Send(ctx, fmt.Sprintf("%d %d", b.Sender, i)); err != nil {
			return err
		}
	}
	return nil
}

// notesKey is the list in which the presence handlers of a test write down
// their successes.
func notesKey(user string) string { return "test:presence:" + user }

func processMain(role string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	rdb := redis.NewClient(&redis.Options{Addr: os.Getenv(redisVariable)})
	defer rdb.Close()
	h := Handlers{
		OnConnect: byQuery,
		OnOnline:  func(ctx context.Context, user string) error { return writeDown(ctx, rdb, user, "online") },
		OnOffline: func(ctx context.Context, user string) error { return writeDown(ctx, rdb, user, "offline") },
	}
	var err error
	switch role {
	case "socket":
		err = socketMain(ctx, rdb, h)
	case "clients":
		err = clientsMain()
	case "sender":
		err = senderMain(ctx, rdb)
	case "mailer":
		err = mailerMain(ctx, rdb)
	case "herd":
		err = herdMain(ctx)
	default:
		err = workerMain(ctx, rdb, h)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	return 0
}

// writeDown writes down that a handler succeeded, and fails before that now and
// then.
func writeDown(ctx context.Context, rdb *redis.Client, user, what string) error {
	percent, _ := strconv.Atoi(os.Getenv(failVariable)) // none when it is not set
	if rand.IntN(100) < percent {
		return errors.New("failing on purpose")
	}
	return rdb.RPush(ctx, notesKey(user), what).Err()
}

func socketMain(ctx context.Context, rdb *redis.Client, h Handlers) error {
	lease, _ := time.ParseDuration(os.Getenv(leaseVariable)) // the default when it is not set
	perUser, _ := strconv.Atoi(os.Getenv(perUserVariable))   // any number when it is not set
	s := &Server{Redis: rdb, Handlers: h, Jobs: jobs.NewClient(rdb), Lease: lease, MaxPerUser: perUser, Logger: quiet}
	s.Jobs.Handles = []jobs.Handler{h.Presence(rdb, "")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	front := &http.Server{Handler: s}
	go front.Serve(l)
	defer front.Close()
	var announcing sync.WaitGroup
	defer announcing.Wait()
	failed, fail := context.WithCancel(ctx)
	defer fail()
	announcing.Go(func() {
		for !s.Ready() {
			if failed.Err() != nil {
				return
			}
			pause(failed, time.Millisecond)
		}
		fmt.Println("ws://" + l.Addr().String())
	})
	return s.Run(ctx)
}

func workerMain(ctx context.Context, rdb *redis.Client, h Handlers) error {
	through := rdb
	if addr := os.Getenv(senderVariable); addr != "" {
		through = redis.NewClient(&redis.Options{Addr: addr})
		defer through.Close()
	}
	client := jobs.NewClient(rdb)
	reaper := &Reaper{Redis: rdb, Jobs: client, Logger: quiet}
	client.Handles = []jobs.Handler{h.Presence(rdb, "")}
	reaping := make(chan struct{})
	go func() {
		defer close(reaping)
		_ = reaper.Run(ctx)
	}()
	fmt.Println("working")
	w := &jobs.Worker{Redis: rdb, Logger: quiet, Handlers: []jobs.Handler{
		h.Presence(rdb, ""),
		bursts.Handle(func(ctx context.Context, b burst) error { return b.send(ctx) }, jobs.Timeout(2*time.Minute), jobs.Retries(0)),
	}}
	err := w.Run(client.Context(NewSender(through).Context(ctx)))
	<-reaping
	return err
}

// process is one that a test started.
type process struct {
	*exec.Cmd
	t    testing.TB
	out  *bufio.Reader
	line string // what it printed when it was ready
	done bool
}

// start runs a role until the test ends.
func start(t testing.TB, role, redisAddr string, env ...string) *process {
	t.Helper()
	p, err := launch(t, role, redisAddr, env...)
	if err != nil {
		t.Fatalf("%s did not start: %v", role, err)
	}
	return p
}

// launch is start for a role that may fail.
func launch(t testing.TB, role, redisAddr string, env ...string) (*process, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role, redisVariable+"="+redisAddr), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: cmd, t: t, out: bufio.NewReader(out)}
	t.Cleanup(func() { p.end(syscall.SIGKILL) })
	p.line, err = p.read()
	return p, err
}

// read waits for the next line that the process prints.
func (p *process) read() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// end ends the process with a signal and waits until it is gone.
func (p *process) end(sig syscall.Signal) {
	if !p.done {
		p.done = true
		_ = p.Process.Signal(syscall.SIGCONT) // a stopped one would not end
		_ = p.Process.Signal(sig)
		_ = p.Wait() // a killed process has no good status
	}
}
