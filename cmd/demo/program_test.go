package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket"
	"go.uber.org/goleak"
)

// runAsProgram makes this test binary run as the demo: then the tests start the
// program itself, built with the flags of the test.
const runAsProgram = "DEMO_TEST_RUN_AS_PROGRAM"

// times are those of the socket server of a program; what is zero has its default.
type times struct {
	PingInterval, PongTimeout, Lease, OfflineAfter time.Duration
}

func (d times) configure(s *socket.Server) {
	s.PingInterval, s.PongTimeout, s.Lease, s.OfflineAfter = d.PingInterval, d.PongTimeout, d.Lease, d.OfflineAfter
}

func TestMain(m *testing.M) {
	if setting := os.Getenv(runAsProgram); setting != "" {
		// The program must not outlive a test that is killed: its end of the pipe
		// closes with it.
		go func() {
			io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		var d times
		if err := json.Unmarshal([]byte(setting), &d); err != nil {
			panic(err)
		}
		a := app()
		a.ConfigureSocket = d.configure
		cmd.Main(a)
		return
	}
	goleak.VerifyTestMain(m)
}

// program is a running process of the demo.
type program struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	read chan struct{} // closed when its output has ended
	once sync.Once

	mu  sync.Mutex
	log []string
}

// start runs the demo with the given roles, all when there are none, on a free
// port, and returns when it is ready. An empty redisURL means the embedded one.
func start(t *testing.T, redisURL string, roles ...string) *program {
	t.Helper()
	return startWith(t, times{}, "0", redisURL, roles...)
}

// startWith is start with times, and a port, which must be free.
func startWith(t *testing.T, d times, port, redisURL string, roles ...string) *program {
	t.Helper()
	setting, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, cmd: exec.Command(binary, roles...), read: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), runAsProgram+"="+string(setting), "HOST=127.0.0.1", "PORT="+port, "REDIS_URL="+redisURL)
	if _, err := p.cmd.StdinPipe(); err != nil { // Wait closes it
		t.Fatal(err)
	}
	output, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	started := make(chan string, 1)
	go p.follow(output, started)
	select {
	case p.url = <-started:
	case <-p.read:
		t.Fatalf("the program ended before it was started")
	case <-time.After(30 * time.Second):
		t.Fatalf("the program did not start")
	}
	redistest.Eventually(t, 30*time.Second, "the program to be ready", func() bool {
		res, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

var startLine = regexp.MustCompile(`queuerun started url=(\S+)`)

// follow keeps what the program writes, and finds the line that tells its URL.
func (p *program) follow(output io.Reader, started chan<- string) {
	defer close(p.read)
	for lines := bufio.NewScanner(output); lines.Scan(); {
		p.mu.Lock()
		p.log = append(p.log, lines.Text())
		p.mu.Unlock()
		if found := startLine.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case started <- found[1]:
			default:
			}
		}
	}
}

// stop ends the program with SIGTERM and fails the test when that is not a
// clean stop. Stopping twice does nothing.
func (p *program) stop() {
	p.once.Do(func() {
		p.cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(30*time.Second, func() { p.cmd.Process.Kill() })
		<-p.read
		err := p.cmd.Wait()
		late.Stop()
		if err != nil {
			p.t.Errorf("stop %q: %v", p.cmd.Args[1:], err)
		}
		p.tell()
	})
}

// kill ends the program with SIGKILL: it can tell nobody.
func (p *program) kill() {
	p.once.Do(func() {
		p.cmd.Process.Kill()
		<-p.read
		p.cmd.Wait()
		p.t.Cleanup(p.tell)
	})
}

// tell logs what the program wrote, if the test has failed.
func (p *program) tell() {
	if p.t.Failed() {
		for _, line := range p.log {
			p.t.Logf("%q: %s", p.cmd.Args[1:], line)
		}
	}
}
