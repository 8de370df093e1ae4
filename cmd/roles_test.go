package cmd_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestOneProcessHasAllRoles(t *testing.T) {
	eachRedis(t, func(t *testing.T, env []string) {
		p := start(t, env)
		if status, body := p.get("/", as("ann")); status != 200 || body != "hello ann" {
			t.Errorf("the page: %d %s", status, body)
		}
		conn, _ := p.dial("ann")
		p.waitFor("online ann")
		if err := conn.WriteMessage(websocket.TextMessage, []byte("dishes")); err != nil {
			t.Fatal(err)
		}
		p.receive(conn, "did dishes")
		p.receive(conn, "tick")
		if status, body := p.get("/do/laundry", as("ann")); status != 200 {
			t.Errorf("push from a request: %d %s", status, body)
		}
		p.receive(conn, "did laundry")
		for _, path := range []string{"/healthz", "/readyz", "/monitoring", "/monitoring/api/queues", "/metrics"} {
			if status, body := p.get(path); status != 200 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
		conn.Close()
		p.waitFor("offline ann")
	})
}

func TestAuthenticateDecidesAboutPagesAndSockets(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0"}, "web", "socket")
	for user, want := range map[string]int{"": 200, "mallory": 403, "trent": 401} {
		if status, _ := p.get("/", as(user)); status != want {
			t.Errorf("page as %q: %d, want %d", user, status, want)
		}
	}
	for user, want := range map[string]int{"": 101, "ann": 101, "mallory": 403, "trent": 401} {
		if _, res := p.dial(user); res.StatusCode != want {
			t.Errorf("socket as %q: %d, want %d", user, res.StatusCode, want)
		}
	}
}

func TestOriginsThatMayOpenSockets(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0", "ALLOWED_ORIGINS= https://a.example, https://b.example,"}, "socket")
	for origin, want := range map[string]int{
		p.url: 101, "https://a.example": 101, "https://b.example": 101, "https://c.example": 403,
	} {
		if _, res := p.dial("ann", "Origin", origin); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", origin, res.StatusCode, want)
		}
	}
}

func TestRolesInProcessesOfTheirOwn(t *testing.T) {
	t.Parallel()
	url := "REDIS_URL=redis://" + redistest.Real(t).Addr
	listening := []string{url, "HOST=127.0.0.1", "PORT=0"}
	web := start(t, listening, "web")
	sockets := start(t, listening, "socket")
	worker := start(t, listening, "worker")
	start(t, []string{url}, "scheduler")

	conn, _ := sockets.dial("ann")
	worker.waitFor("online ann")
	if status, body := web.get("/do/dishes", as("ann")); status != 200 {
		t.Fatalf("push: %d %s", status, body)
	}
	sockets.receive(conn, "did dishes")
	sockets.receive(conn, "tick")
	for _, test := range []struct {
		p      *program
		path   string
		status int
	}{
		{web, "/", 200}, {web, "/monitoring", 200}, {web, "/metrics", 200}, {web, "/socket", 404},
		{sockets, "/", 404}, {sockets, "/monitoring", 404}, {sockets, "/metrics", 200}, {sockets, "/healthz", 200},
		{worker, "/", 404}, {worker, "/monitoring", 404}, {worker, "/socket", 404}, {worker, "/readyz", 200},
	} {
		if status, _ := test.p.get(test.path); status != test.status {
			t.Errorf("%s of %v: %d, want %d", test.path, test.p.cmd.Args[1:], status, test.status)
		}
	}
	sockets.signal(syscall.SIGTERM)
	if code := sockets.closeCode(conn); code != websocket.CloseServiceRestart {
		t.Errorf("close code %d", code)
	}
	worker.waitFor("offline ann")
	if status := sockets.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

func TestWorkerListensOnlyWhenGivenAPort(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"HOST=127.0.0.1"}, "worker", "scheduler")
	p.waitFor("tick")
	if p.url != "" {
		t.Errorf("it listens on %s", p.url)
	}
}

func TestStartUpLineNamesAddressRolesAndRedis(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"PORT=0"}, "socket", "web")
	if !strings.HasPrefix(p.url, "http://localhost:") {
		t.Errorf("the address is %q", p.url)
	}
	for _, want := range []string{`roles="web, socket"`, `redis="embedded, for development`} {
		if !strings.Contains(p.errors(), want) {
			t.Errorf("the start-up line lacks %s: %s", want, p.errors())
		}
	}
	server := redistest.Real(t)
	p = start(t, []string{"REDIS_URL=redis://:secret@" + server.Addr + "/1?protocol=3"}, "scheduler")
	if !strings.Contains(p.errors(), "redis="+server.Addr) || strings.Contains(p.errors(), "secret") {
		t.Errorf("got %s", p.errors())
	}
}

func TestDashboardIsForDevelopmentOrThePassword(t *testing.T) {
	t.Parallel()
	real := "REDIS_URL=redis://" + redistest.Real(t).Addr
	secret := "DASHBOARD_PASSWORD=open sesame"
	none := func(*http.Request) {}
	login := func(r *http.Request) { r.SetBasicAuth("me", "open sesame") }
	for _, test := range []struct {
		name   string
		env    []string
		change func(*http.Request)
		status int
	}{
		{"embedded", nil, none, 200},
		{"embedded, all interfaces", []string{"HOST=0.0.0.0"}, none, 200},
		{"loopback", []string{real, "HOST=127.0.0.1"}, none, 200},
		{"all interfaces", []string{real}, none, 404},
		{"password not given", []string{real, secret}, none, 401},
		{"password given", []string{real, secret}, login, 200},
		{"password in development", []string{secret}, none, 401},
	} {
		p := start(t, append(test.env, "PORT=0"), "web")
		for _, path := range []string{"/monitoring/api/queues", "/metrics"} {
			if status, _ := p.get(path, test.change); status != test.status {
				t.Errorf("%s: %s: %d, want %d", test.name, path, status, test.status)
			}
		}
	}
}

func TestProgramsWithDifferentPrefixesShareARedis(t *testing.T) {
	t.Parallel()
	env := []string{"PORT=0", "HOST=127.0.0.1", "REDIS_URL=redis://" + redistest.Real(t).Addr}
	one := start(t, env)
	two := start(t, append(env, changes+"=prefix"))
	for _, p := range []*program{one, two} {
		conn, _ := p.dial("bob")
		p.waitFor("online bob")
		if status, body := p.get("/do/dishes", as("bob")); status != 200 {
			t.Fatalf("push: %d %s", status, body)
		}
		p.receive(conn, "did dishes")
		conn.Close()
		p.waitFor("offline bob")
	}
	for _, p := range []*program{one, two} {
		n := strings.Count(strings.Join(p.lines(), "\n"), "did dishes")
		if n != 1 {
			t.Errorf("a program ran %d jobs, want its own one", n)
		}
		p.waitFor("tick")
	}
}
