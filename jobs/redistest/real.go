package redistest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a real redis-server process on a free port of 127.0.0.1. It writes
// an append-only file to a directory of the test, so what it acknowledged is
// there again after Stop or Kill and Start.
type Server struct {
	// Addr is the "host:port" it listens on; Start after Stop keeps it.
	Addr string

	t    testing.TB
	path string
	dir  string
	args []string
	env  []string // added to that of the test
	cmd  *exec.Cmd
	out  bytes.Buffer
}

// Option changes how Real starts its redis-server.
type Option func(*Server)

// AppendFsync says when what is written to the append-only file is forced to
// the disk: "always", before each reply; "everysec", which is what redis-server
// does by itself; or "no".
func AppendFsync(when string) Option {
	return func(s *Server) { s.args = append(s.args, "--appendfsync", when) }
}

// Args are further arguments of redis-server, such as "--cluster-enabled", "yes".
func Args(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// Real starts a redis-server for the test. Without one on the PATH the test is
// skipped, or fails when REQUIRE_REAL=1 is set.
func Real(t testing.TB, options ...Option) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		unavailable(t, "redis-server is not on the PATH")
	}
	s := &Server{t: t, path: path, dir: t.TempDir()}
	for _, option := range options {
		option(s)
	}
	t.Cleanup(s.Stop)
	// Between finding a free port and listening on it another process may take
	// it; then the next one will do.
	for range 5 {
		s.Addr = freeAddr(t)
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// unavailable ends a test that lacks a real part.
func unavailable(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("REQUIRE_REAL") == "1" {
		t.Fatalf("REQUIRE_REAL=1 is set, and %s", why)
	}
	t.Skip(why)
}

// Client returns a client of the server that is closed with the test.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	return Client(t, s.Addr)
}

// Start starts the process again after Stop or Kill, on the same address and
// with the data it had, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	if s.cmd != nil {
		return
	}
	if err := s.start(); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends the process with SIGTERM and waits for it. Stopping a stopped
// server does nothing.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Kill ends the process with SIGKILL and waits for it.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Pause stops the process with SIGSTOP: connections stay open and nothing is
// answered until Continue.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue lets a paused process go on.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if s.cmd == nil {
		s.t.Fatalf("signal redis-server: it is not running")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal redis-server: %v", err)
	}
}

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	// A paused process takes SIGTERM only when it goes on.
	s.cmd.Process.Signal(syscall.SIGCONT)
	s.cmd.Process.Signal(sig)
	// One that is a replica and synchronises does not always end by SIGTERM.
	patience := time.AfterFunc(10*time.Second, func() { s.cmd.Process.Kill() })
	s.cmd.Wait()
	patience.Stop()
	s.cmd = nil
}

func (s *Server) start() error {
	_, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	s.out.Reset()
	args := []string{"--bind", "127.0.0.1", "--port", port, "--dir", s.dir,
		"--save", "", "--appendonly", "yes", "--daemonize", "no"}
	s.cmd = exec.Command(s.path, append(args, s.args...)...)
	s.cmd.Env = append(os.Environ(), s.env...)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return fmt.Errorf("start redis-server: %w", err)
	}
	if err := s.waitUntilItAnswers(); err != nil {
		s.Kill()
		return fmt.Errorf("start redis-server on %s: %w\n%s", s.Addr, err, s.out.String())
	}
	return nil
}

// waitUntilItAnswers also checks that it is our process that answers, not
// another one that took the port.
func (s *Server) waitUntilItAnswers() error {
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	defer rdb.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ours := "process_id:" + strconv.Itoa(s.cmd.Process.Pid) + "\r\n"
	for {
		info, err := rdb.Info(ctx, "server").Result()
		if err == nil {
			if !strings.Contains(info, ours) {
				return fmt.Errorf("another process listens there")
			}
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("no answer after 10 s: %w", err)
		}
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
