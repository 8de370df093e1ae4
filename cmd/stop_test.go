package cmd_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestSignalStopsCleanly(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			eachRedis(t, func(t *testing.T, env []string) {
				p := start(t, env)
				conn, _ := p.dial("ann")
				p.waitFor("online ann")
				if status, body := p.get("/do/slow"); status != 200 {
					t.Fatalf("push: %d %s", status, body)
				}
				p.waitFor("began slow")
				p.signal(signal)
				if code := p.closeCode(conn); code != websocket.CloseServiceRestart {
					t.Errorf("close code %d, want 1012", code)
				}
				if status := p.status(); status != 0 {
					t.Errorf("exit status %d: %s", status, p.errors())
				}
				if !p.said("did slow for ") {
					t.Error("the running job was not finished")
				}
				if strings.Contains(p.errors(), "ERROR") || strings.Contains(p.errors(), "WARN") {
					t.Errorf("it complained: %s", p.errors())
				}
			})
		})
	}
}

// What is left in an embedded Redis is lost, so the leaving of the users has to be
// handled before the end.
func TestUsersHaveLeftBeforeAnEmbeddedRedisEnds(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0"})
	var conns []*websocket.Conn
	for _, user := range []string{"ann", "bob", "eve"} {
		conn, _ := p.dial(user)
		p.waitFor("online " + user)
		conns = append(conns, conn)
	}
	p.signal(syscall.SIGTERM)
	for _, conn := range conns {
		p.closeCode(conn)
	}
	if status := p.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	for _, line := range []string{"offline ann", "offline bob", "offline eve"} {
		if !p.said(line) {
			t.Errorf("it did not say %q", line)
		}
	}
}

func TestJobThatTakesTooLongGoesBackToItsQueue(t *testing.T) {
	t.Parallel()
	env := []string{"PORT=0", "HOST=127.0.0.1", "REDIS_URL=redis://" + redistest.Real(t).Addr, changes + "=short drain"}
	p := start(t, env, "web", "worker")
	if status, body := p.get("/do/endless"); status != 200 {
		t.Fatalf("push: %d %s", status, body)
	}
	p.waitFor("began endless")
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != 0 {
		t.Errorf("exit status %d: %s", status, p.errors())
	}
	if !p.said("cut short endless") {
		t.Error("the program did not wait for the handler")
	}
	next := start(t, env, "worker")
	next.waitFor("began endless")
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0"})
	if status, body := p.get("/do/stuck"); status != 200 {
		t.Fatalf("push: %d %s", status, body)
	}
	p.waitFor("began stuck")
	p.signal(syscall.SIGTERM)
	p.eventually("the program to say that it stops", func() bool { return strings.Contains(p.errors(), "terminated: stopping") })
	p.signal(os.Interrupt.(syscall.Signal))
	if status := p.status(); status != 1 {
		t.Errorf("exit status %d", status)
	}
	if !strings.Contains(p.errors(), "second signal (interrupt): ending at once") {
		t.Errorf("got %s", p.errors())
	}
}

func TestProgramOutlivesRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	p := start(t, []string{"PORT=0", "HOST=127.0.0.1", "REDIS_URL=redis://" + server.Addr})
	// Every part has started when this is done; a part that is not may fail.
	p.eventually("a push to succeed", func() bool { status, _ := p.get("/do/laundry"); return status == 200 })
	p.waitFor("did laundry for ")
	server.Stop()
	p.eventually("the program not to be ready", func() bool { status, _ := p.get("/readyz"); return status == 503 })
	if status, _ := p.get("/healthz"); status != 200 {
		t.Errorf("/healthz: %d", status)
	}
	server.Start()
	p.eventually("the program to be ready", func() bool { status, _ := p.get("/readyz"); return status == 200 })
	p.eventually("a push to succeed", func() bool { status, _ := p.get("/do/dishes"); return status == 200 })
	p.waitFor("did dishes for ")
	p.signal(syscall.SIGTERM)
	if status := p.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestStopIsAnnouncedByReadyz(t *testing.T) {
	t.Parallel()
	eachRedis(t, func(t *testing.T, env []string) {
		p := start(t, append(env, "SHUTDOWN_DELAY=1s"))
		conn, _ := p.dial("ann")
		p.signal(syscall.SIGTERM)
		p.eventually("the program not to be ready", func() bool { status, _ := p.get("/readyz"); return status == 503 })
		if status, _ := p.get("/"); status != 200 {
			t.Errorf("/ while it is stopping: %d", status)
		}
		late, res := p.dial("bob")
		if late == nil {
			t.Fatalf("a socket while it is stopping: %d", res.StatusCode)
		}
		for _, c := range []*websocket.Conn{conn, late} {
			if code := p.closeCode(c); code != websocket.CloseServiceRestart {
				t.Errorf("close code %d, want 1012", code)
			}
		}
		if status := p.status(); status != 0 {
			t.Errorf("exit status %d: %s", status, p.errors())
		}
	})
}

func TestSocketServerIsConfigured(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0", changes + "=one socket each"})
	p.dial("ann")
	if _, res := p.dial("ann"); res.StatusCode != 429 {
		t.Errorf("second connection: %d, want 429", res.StatusCode)
	}
}

func TestInvalidShutdownDelay(t *testing.T) {
	t.Parallel()
	for _, delay := range []string{"5", "soon", "-1s"} {
		p := launch(t, []string{"PORT=0", "SHUTDOWN_DELAY=" + delay})
		if status := p.status(); status != 1 || !strings.Contains(p.errors(), "SHUTDOWN_DELAY") {
			t.Errorf("%s: exit status %d: %s", delay, status, p.errors())
		}
	}
}
