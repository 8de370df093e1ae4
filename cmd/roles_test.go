package cmd_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
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
			if status, body := p.get(path, p.withToken); status != 200 {
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
	p := start(t, []string{"PORT=0", "ALLOWED_ORIGINS= https://a.example, HTTPS://B.example:443/,"}, "socket")
	for origin, want := range map[string]int{
		p.url: 101, "https://a.example": 101, "https://b.example": 101, "https://c.example": 403,
	} {
		if _, res := p.dial("ann", "Origin", origin); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", origin, res.StatusCode, want)
		}
	}
}

// What lets nobody in is said before anything runs, also where nothing asks for it.
func TestOriginsThatNoPageHasAreAnErrorAtTheStart(t *testing.T) {
	t.Parallel()
	for _, origins := range []string{"app.example.com", "https://fine.example,https://*.example.com"} {
		p := launch(t, []string{"PORT=0", "ALLOWED_ORIGINS=" + origins}, "web")
		if status := p.status(); status != 1 || !strings.Contains(p.errors(), "ALLOWED_ORIGINS: ") || strings.Contains(p.errors(), "queuerun started") {
			t.Errorf("%s: status %d, %s", origins, status, p.errors())
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
		if status, _ := test.p.get(test.path, test.p.withToken); status != test.status {
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

func TestDashboardIsForDevelopmentThePasswordOrTheToken(t *testing.T) {
	t.Parallel()
	real := "REDIS_URL=redis://" + redistest.Real(t).Addr
	secret := "DASHBOARD_PASSWORD=open sesame"
	none := func(*http.Request) {}
	login := func(r *http.Request) { r.SetBasicAuth("me", "open sesame") }
	proxied := func(r *http.Request) { r.Host = "127.0.0.1"; r.Header.Set("X-Forwarded-For", "203.0.113.7") }
	neighbour := func(r *http.Request) { r.Host = "localhost" }
	for _, test := range []struct {
		name   string
		env    []string
		change func(*http.Request)
		status int
		token  bool // there is one, and it lets in
	}{
		{"embedded", nil, none, 200, false},
		{"embedded, with another name", []string{"ALLOWED_HOSTS=tunnel.example"}, none, 401, true},
		{"embedded, all interfaces", []string{"HOST=0.0.0.0"}, neighbour, 401, true},
		{"loopback", []string{real, "HOST=127.0.0.1"}, none, 401, true},
		{"loopback behind a proxy", []string{real, "HOST=127.0.0.1"}, proxied, 401, true},
		{"all interfaces", []string{real}, neighbour, 401, true},
		{"password not given", []string{real, secret}, none, 401, false},
		{"password given", []string{real, secret}, login, 200, false},
		{"password in development", []string{secret}, none, 401, false},
	} {
		p := start(t, append(test.env, "PORT=0"), "web")
		token := p.token()
		if (token != "") != test.token {
			t.Errorf("%s: the token is %q", test.name, token)
		}
		for _, path := range []string{"/monitoring/api/queues", "/metrics"} {
			if status, _ := p.get(path, test.change); status != test.status {
				t.Errorf("%s: %s: %d, want %d", test.name, path, status, test.status)
			}
			if status, _ := p.get(path+"?token="+token, test.change); test.token && status != 200 {
				t.Errorf("%s: %s with the token: %d", test.name, path, status)
			}
		}
	}
}

// A proxy on the same machine that says nothing of it, as nginx's proxy_pass alone,
// lets nobody in: neither by the address nor by the host that it makes of them.
func TestDashboardBehindAProxyThatSaysNothing(t *testing.T) {
	t.Parallel()
	p := start(t, []string{"REDIS_URL=redis://" + redistest.Real(t).Addr, "HOST=127.0.0.1", "PORT=0"}, "web")
	to, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	defer proxy.Close()
	for path, want := range map[string]int{
		"/": 200, "/monitoring": 401, "/monitoring/api/queues": 401, "/metrics": 401,
		"/monitoring/api/queues?token=" + p.token(): 200, "/metrics?token=" + p.token(): 200,
	} {
		res, err := proxy.Client().Get(proxy.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
}

// Each process has a token of its own, and one that serves no pages has it for its metrics.
func TestTokensAreThoseOfAProcess(t *testing.T) {
	t.Parallel()
	env := []string{"REDIS_URL=redis://" + redistest.Real(t).Addr, "HOST=127.0.0.1", "PORT=0"}
	one, two := start(t, env, "web"), start(t, env, "worker")
	if one.token() == two.token() || len(one.token()) < 26 {
		t.Errorf("the tokens are %q and %q", one.token(), two.token())
	}
	if status, _ := two.get("/metrics?token=" + one.token()); status != 401 {
		t.Errorf("the token of another process: %d", status)
	}
	if status, _ := two.get("/metrics?token=" + two.token()); status != 200 || !strings.Contains(two.errors(), "/metrics?token=") {
		t.Errorf("its own: %d; the log has %s", status, two.errors())
	}
}

func TestNamesOfOtherSitesAreRefusedInDevelopment(t *testing.T) {
	t.Parallel()
	named := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	real := "REDIS_URL=redis://" + redistest.Real(t).Addr
	for _, test := range []struct {
		env    []string
		host   string
		status int
	}{
		{nil, "evil.example", 403}, {nil, "localhost", 200}, {nil, "192.168.0.7:8080", 200}, {nil, "app.localhost", 200},
		{[]string{"ALLOWED_HOSTS=app.example, other.example"}, "other.example:8080", 200},
		{[]string{"ALLOWED_HOSTS=app.example"}, "evil.example", 403},
		{[]string{"ALLOWED_HOSTS=*"}, "evil.example", 200},
		{[]string{real, "HOST=127.0.0.1"}, "app.example", 200},
		{[]string{real, "HOST=127.0.0.1", "ALLOWED_HOSTS=app.example"}, "evil.example", 403},
	} {
		p := start(t, append(test.env, "PORT=0"), "web", "socket")
		if status, _ := p.get("/", named(test.host)); status != test.status {
			t.Errorf("%v: %s: %d, want %d", test.env, test.host, status, test.status)
		}
		// A page of the name asks with its own origin, as after DNS rebinding.
		want := 101
		if test.status == 403 {
			want = 403
		}
		if _, res := p.dial("ann", "Host", test.host, "Origin", "http://"+test.host); res.StatusCode != want {
			t.Errorf("%v: a socket of %s: %d, want %d", test.env, test.host, res.StatusCode, want)
		}
	}
	p := launch(t, []string{"PORT=0", "ALLOWED_HOSTS=https://app.example"}, "web")
	if status := p.status(); status != 1 || !strings.Contains(p.errors(), "ALLOWED_HOSTS") || strings.Contains(p.errors(), "queuerun started") {
		t.Errorf("a host that no request has: status %d, %s", status, p.errors())
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
		own, other := `"queue":"work"`, `"queue":"other:work"`
		if p == two {
			own, other = other, own
		}
		status, queues := p.get("/monitoring/api/queues", p.withToken)
		if status != 200 || !strings.Contains(queues, own) || strings.Contains(queues, other) {
			t.Errorf("its dashboard shows %d %s", status, queues)
		}
		p.waitFor("tick")
	}
}
