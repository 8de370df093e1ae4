package cmd_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// patience is how long the tests wait for what ought to happen soon.
const patience = 30 * time.Second

// program is a running process of the program under test.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	url   string // where it listens, or "" if it does not
	ended chan struct{}

	mu     sync.Mutex
	stdout []string
	stderr bytes.Buffer
}

// launch starts the program with the environment and the roles.
func launch(t *testing.T, env []string, roles ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: exec.Command(os.Args[0], roles...), ended: make(chan struct{})}
	p.cmd.Env = append(cleanEnv(), env...)
	p.cmd.Env = append(p.cmd.Env, runAsProgram+"=1")
	stdout, stdoutWriter := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = stdoutWriter, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			p.mu.Lock()
			p.stdout = append(p.stdout, lines.Text())
			p.mu.Unlock()
		}
	}()
	go func() {
		p.cmd.Wait()
		stdoutWriter.Close()
		<-read
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.ended
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Logf("%v wrote:\n%s\n%s", roles, strings.Join(p.lines(), "\n"), p.errors())
		}
	})
	return p
}

// cleanEnv is the environment without what would change the program.
func cleanEnv() []string {
	return slices.DeleteFunc(os.Environ(), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		return slices.Contains([]string{"REDIS_URL", "PORT", "HOST", "ALLOWED_ORIGINS", "ALLOWED_HOSTS", "DASHBOARD_PASSWORD", "SHUTDOWN_DELAY"}, name)
	})
}

var startLine = regexp.MustCompile(`queuerun started( url=(\S+))? roles=.*\n`)

// start launches the program and waits until it has started and, if it listens,
// is ready.
func start(t *testing.T, env []string, roles ...string) *program {
	t.Helper()
	p := launch(t, env, roles...)
	redistest.Eventually(t, patience, "the start-up line", func() bool {
		if p.over() {
			t.Fatalf("the program ended: %s", p.errors())
		}
		return startLine.MatchString(p.errors())
	})
	p.url = startLine.FindStringSubmatch(p.errors())[2]
	if p.url != "" {
		p.eventually("the program to be ready", func() bool { status, _ := p.get("/readyz"); return status == 200 })
	}
	return p
}

var tokenLine = regexp.MustCompile(`url=\S+\?token=(\w+)`)

// token is the one that opens the dashboard, or empty if the program has not said any
// by the time that it is ready.
func (p *program) token() string {
	if found := tokenLine.FindStringSubmatch(p.errors()); found != nil {
		return found[1]
	}
	return ""
}

// withToken makes a request one of somebody who has read the program's log.
func (p *program) withToken(r *http.Request) {
	r.Header.Set("Authorization", "Bearer "+p.token())
}

// Write takes what the program writes to standard error.
func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *program) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

func (p *program) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.stdout)
}

func (p *program) said(line string) bool { return slices.Contains(p.lines(), line) }

func (p *program) over() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *program) eventually(what string, cond func() bool) {
	p.t.Helper()
	redistest.Eventually(p.t, patience, what, cond)
}

// waitFor waits until the program has said the line.
func (p *program) waitFor(line string) {
	p.t.Helper()
	p.eventually("the line "+line, func() bool { return p.said(line) })
}

func (p *program) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// status waits for the end of the program and returns its exit status.
func (p *program) status() int {
	p.t.Helper()
	p.eventually("the program to end", p.over)
	return p.cmd.ProcessState.ExitCode()
}

// get requests a path and returns the status and the body; 0 if there is no answer.
func (p *program) get(path string, change ...func(*http.Request)) (int, string) {
	p.t.Helper()
	req, err := http.NewRequest("GET", p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range change {
		f(req)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, strings.TrimSpace(string(body))
}

func as(user string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("X-User", user) }
}

// dial opens a socket as a user, with more headers as pairs of name and value. Like
// any client, it tries again when it is told that the server is not there yet.
func (p *program) dial(user string, headers ...string) (*websocket.Conn, *http.Response) {
	p.t.Helper()
	header := http.Header{}
	if user != "" {
		header.Set("X-User", user)
	}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	var conn *websocket.Conn
	var res *http.Response
	p.eventually("an answer at /socket", func() bool {
		var err error
		conn, res, err = websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/socket", header)
		if err != nil && res == nil {
			p.t.Fatal(err)
		}
		return res.StatusCode != http.StatusServiceUnavailable
	})
	if conn != nil {
		p.t.Cleanup(func() { conn.Close() })
	}
	return conn, res
}

// receive reads messages until the wanted one comes.
func (p *program) receive(conn *websocket.Conn, want string) {
	p.t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	for {
		_, data, err := conn.ReadMessage()
		if err != nil {
			p.t.Fatalf("waiting for the message %q: %v", want, err)
		}
		if string(data) == want {
			return
		}
	}
}

// closeCode reads until the connection is closed, and returns the code.
func (p *program) closeCode(conn *websocket.Conn) int {
	p.t.Helper()
	conn.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			closed, ok := err.(*websocket.CloseError)
			if !ok {
				p.t.Fatalf("the connection ended with %v", err)
			}
			return closed.Code
		}
	}
}

// eachRedis runs the body with the environment for an embedded and a real Redis.
func eachRedis(t *testing.T, body func(t *testing.T, env []string)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); body(t, []string{"PORT=0"}) })
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		body(t, []string{"PORT=0", "HOST=127.0.0.1", "REDIS_URL=redis://" + redistest.Real(t).Addr})
	})
}
