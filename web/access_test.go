package web_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
)

// admitted asks whether a request is let in, and returns the answer if it is not.
func admitted(a *web.Access, needed web.Scope, change ...func(*http.Request)) (bool, *httptest.ResponseRecorder) {
	r := httptest.NewRequest("GET", "/monitoring", nil)
	for _, f := range change {
		f(r)
	}
	w := httptest.NewRecorder()
	return a.Admit(w, r, needed), w
}

func bearer(secret string) func(*http.Request) { return header("Authorization", "Bearer "+secret) }

func query(q string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = q } }

func from(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }

// keys are principals of every kind.
func keys() *web.Access {
	return &web.Access{
		Principals: []web.Principal{
			{Name: "password", Secret: "open sesame", Scopes: web.AllScopes},
			{Name: "token", Secret: "t0ken", InURL: true, Scopes: web.AllScopes},
			{Name: "looks", Secret: "eyes", Scopes: web.ScopeRead},
			{Name: "pushes", Secret: "hands", Scopes: web.ScopePush | web.ScopeSend},
			{Name: "nobody", Secret: "", Scopes: web.AllScopes, InURL: true},
		},
		Logger: slog.New(slog.DiscardHandler),
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	none := func(*http.Request) {}
	post := method("POST")
	for _, test := range []struct {
		name   string
		access *web.Access
		needed web.Scope
		change []func(*http.Request)
		status int // 0: admitted
	}{
		{"nil", nil, web.ScopeRead, nil, 403},
		{"zero", &web.Access{}, web.ScopeRead, []func(*http.Request){password("")}, 401},
		{"open", open, web.AllScopes, nil, 0},
		{"no secret", keys(), web.ScopeRead, []func(*http.Request){none}, 401},
		{"an empty secret", keys(), web.ScopeRead, []func(*http.Request){password("")}, 401},
		{"an empty token", keys(), web.ScopeRead, []func(*http.Request){query("token=")}, 401},
		{"the password", keys(), web.AllScopes, []func(*http.Request){password("open sesame")}, 0},
		{"the password as a bearer", keys(), web.AllScopes, []func(*http.Request){bearer("open sesame")}, 0},
		{"the password in the URL", keys(), web.ScopeRead, []func(*http.Request){query("token=open+sesame")}, 401},
		{"the token in the URL", keys(), web.AllScopes, []func(*http.Request){query("a=b&token=t0ken")}, 0},
		{"the token as a bearer", keys(), web.AllScopes, []func(*http.Request){bearer("t0ken")}, 0},
		{"half the token", keys(), web.ScopeRead, []func(*http.Request){query("token=t0k")}, 401},
		{"who looks, to look", keys(), web.ScopeRead, []func(*http.Request){bearer("eyes")}, 0},
		{"who looks, to act", keys(), web.ScopeOperate, []func(*http.Request){bearer("eyes")}, 403},
		{"who looks, to look and act", keys(), web.ScopeRead | web.ScopeOperate, []func(*http.Request){bearer("eyes")}, 403},
		{"who pushes, to push", keys(), web.ScopePush, []func(*http.Request){bearer("hands")}, 0},
		{"who pushes, to look", keys(), web.ScopeRead, []func(*http.Request){bearer("hands")}, 403},
		{"a foreign page that acts", open, web.ScopeOperate, []func(*http.Request){post, header("Origin", "https://evil.example")}, 403},
		{"a foreign page with the password", keys(), web.ScopeOperate, []func(*http.Request){post, password("open sesame"), header("Sec-Fetch-Site", "cross-site")}, 403},
	} {
		// Where a request seems to be from decides about nothing.
		for _, place := range []func(*http.Request){none, from("127.0.0.1:9"), host("localhost"), header("X-Forwarded-For", "127.0.0.1")} {
			ok, w := admitted(test.access, test.needed, append(test.change, place)...)
			if ok != (test.status == 0) || test.status != 0 && w.Code != test.status {
				t.Errorf("%s: admitted %t, answered %d %s", test.name, ok, w.Code, w.Body)
			}
			if test.status == 401 && w.Header().Get("WWW-Authenticate") == "" {
				t.Errorf("%s: the answer lacks WWW-Authenticate", test.name)
			}
		}
	}
}

func TestScopesHaveNames(t *testing.T) {
	if got := web.AllScopes.String(); got != "read, operate, push, send, admin" {
		t.Errorf("got %q", got)
	}
}

// The dashboard needs one scope to look and another to act; the metrics are looked at.
func TestDashboardAndMetricsAskTheSameAccess(t *testing.T) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	access := keys()
	s := start(t, t.Context(), &web.Server{
		Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: access}, Metrics: &web.Metrics{Redis: rdb, Access: access},
	})
	for _, test := range []struct {
		secret, method, path string
		status               int
	}{
		{"eyes", "GET", "/monitoring", 200}, {"eyes", "GET", "/monitoring/api/queues", 200}, {"eyes", "GET", "/metrics", 200},
		{"eyes", "POST", "/monitoring/api/queues/orders:pause", 403}, {"eyes", "DELETE", "/monitoring/api/queues/orders/pending_tasks:delete_all", 403},
		{"hands", "GET", "/monitoring", 403}, {"hands", "GET", "/metrics", 403},
		{"open sesame", "POST", "/monitoring/api/queues/orders:pause", 204},
		{"no", "GET", "/monitoring", 401}, {"no", "GET", "/metrics", 401}, {"no", "GET", "/monitoring/static/js/main.js", 401},
	} {
		if got := s.get(test.path, method(test.method), bearer(test.secret)); got.status != test.status {
			t.Errorf("%s: %s %s: got %d, want %d", test.secret, test.method, test.path, got.status, test.status)
		}
	}
}

// A browser that opens the address with the token is sent to the one without it, and
// has a cookie that counts from then on, in this process.
func TestTokenInTheAddressSetsACookie(t *testing.T) {
	access := keys()
	html := header("Accept", "text/html,application/xhtml+xml")
	ok, w := admitted(access, web.ScopeRead, query("status=active&token=t0ken"), host("localhost:8080"), html)
	cookies := w.Result().Cookies()
	if ok || w.Code != 303 || w.Header().Get("Location") != "/monitoring?status=active" || len(cookies) != 1 {
		t.Fatalf("admitted %t, answered %d %v", ok, w.Code, w.Header())
	}
	cookie := cookies[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Name != "queuerun-8080" || strings.Contains(cookie.Value, "t0ken") {
		t.Errorf("the cookie is %v", cookie)
	}
	with := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value}) }
	}
	if ok, w := admitted(access, web.AllScopes, with(cookie.Value), host("localhost:8080")); !ok {
		t.Errorf("with the cookie: answered %d %s", w.Code, w.Body)
	}
	for name, change := range map[string]func(*http.Request){"none": func(*http.Request) {}, "another": with("x"), "empty": with("")} {
		if ok, _ := admitted(access, web.ScopeRead, change, host("localhost:8080")); ok {
			t.Errorf("cookie %s: admitted", name)
		}
	}
	if ok, _ := admitted(keys(), web.ScopeRead, with(cookie.Value), host("localhost:8080")); ok {
		t.Error("the cookie of one process lets into another")
	}
	// No other site is named by the address.
	_, w = admitted(access, web.ScopeRead, query("token=t0ken"), html, func(r *http.Request) { r.URL.Path = "//evil.example/x" })
	if to := w.Header().Get("Location"); to != "/evil.example/x" {
		t.Errorf("redirected to %q", to)
	}
}

// Wrong secrets are slowed down by the address that they come from, and never those
// who are in.
func TestGuessesAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		access := keys()
		var lines bytes.Buffer
		access.Logger = slog.New(slog.NewTextHandler(&lines, nil))
		_, w := admitted(access, web.ScopeRead, password("open sesame"), from("203.0.113.7:1"))
		cookie := w.Result().Cookies()[0]

		answers := map[int]int{}
		guess := func(secret, addr string) int {
			_, w := admitted(access, web.ScopeRead, password(secret), from(addr))
			if w.Code == 429 && w.Header().Get("Retry-After") != "10" {
				t.Errorf("Retry-After: %q", w.Header().Get("Retry-After"))
			}
			return w.Code
		}
		for i := range 1000 {
			answers[guess(fmt.Sprint("guess ", i), fmt.Sprint("203.0.113.7:", i))]++
		}
		if answers[401] != 10 || answers[429] != 990 {
			t.Errorf("1000 guesses at once: %v", answers)
		}
		// Not even the right one is looked at, or guessing would not be slow.
		if got := guess("open sesame", "203.0.113.7:1"); got != 429 {
			t.Errorf("the password after all guesses: %d", got)
		}
		if ok, w := admitted(access, web.ScopeRead, func(r *http.Request) { r.AddCookie(cookie) }, from("203.0.113.7:1")); !ok {
			t.Errorf("who is in is shut out: %d", w.Code)
		}
		if got := guess("open sesame", "203.0.113.8:1"); got != 200 {
			t.Errorf("from elsewhere: %d", got)
		}
		if n := strings.Count(lines.String(), "a wrong password or token was given"); n != 1 {
			t.Errorf("the log has %d lines:\n%s", n, lines.String())
		}
		time.Sleep(time.Hour)
		clear(answers)
		for range 360 {
			time.Sleep(10 * time.Second)
			answers[guess("x", "203.0.113.7:1")]++
			answers[guess("x", "203.0.113.7:1")]++
		}
		if answers[401] != 10+359 { // those that were saved up, and one in 10 seconds
			t.Errorf("in an hour: %v", answers)
		}
		if n := strings.Count(lines.String(), "\n"); n > 62 || !strings.Contains(lines.String(), "refusals=6") {
			t.Errorf("the log has %d lines", n)
		}
	})
}

// An IPv6 network has one count, and so have all addresses that are too many to be
// told apart.
func TestGuessesFromManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		access := keys()
		answers := map[int]int{}
		guess := func(addr string) {
			_, w := admitted(access, web.ScopeRead, password("x"), from(addr))
			answers[w.Code]++
		}
		for i := range 100 {
			guess(fmt.Sprintf("[2001:db8::%x]:1", i))
		}
		if answers[401] != 10 {
			t.Errorf("from one IPv6 network: %v", answers)
		}
		clear(answers)
		for i := range 100_000 {
			guess(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
		}
		if answers[401] != 1023+10 { // the network above is counted too
			t.Errorf("from 100,000 addresses: %v", answers)
		}
		time.Sleep(10 * time.Second)
		clear(answers)
		for i := range 100_000 {
			guess(fmt.Sprintf("11.%d.%d.%d:1", i>>16, i>>8&255, i&255))
		}
		if answers[401] > 1024+10 {
			t.Errorf("later, from 100,000 addresses: %v", answers)
		}
	})
}

// What names the server has is decided before anything answers (DNS rebinding).
func TestRequestsForOtherNamesAreRefused(t *testing.T) {
	var lines bytes.Buffer
	s := start(t, t.Context(), &web.Server{
		Hosts: []string{"app.example.com", "Other.Example."}, Logger: slog.New(slog.NewTextHandler(&lines, nil)),
		App: named("app"), Socket: named("socket"), Dashboard: named("dashboard"), Metrics: named("metrics"),
	})
	for _, name := range []string{
		"localhost", "localhost:8080", "app.localhost", "LOCALHOST.", "127.0.0.1:1", "[::1]:8080", "[::1]", "10.0.0.5:8080", "[fe80::1]",
		"app.example.com", "APP.example.com:443", "app.example.com.", "other.example",
	} {
		for _, path := range []string{"/", "/socket", "/monitoring", "/metrics", "/healthz"} {
			if got := s.get(path, host(name)); got.status != 200 {
				t.Errorf("host %s: %s: got %+v", name, path, got)
			}
		}
	}
	for _, name := range []string{"evil.example", "evil.example:8080", "localhost.evil.example", "xlocalhost", "127.0.0.1.evil.example", "x.app.example.com", "1"} {
		for _, path := range []string{"/", "/socket", "/monitoring", "/metrics", "/healthz", "/queuerun.js"} {
			if got := s.get(path, host(name)); got.status != 403 || !strings.Contains(got.body, "is not allowed here") {
				t.Errorf("host %s: %s: got %+v", name, path, got)
			}
		}
	}
	if n := strings.Count(lines.String(), "refused a request for a host"); n != 1 {
		t.Errorf("the log has %d lines:\n%s", n, lines.String())
	}
	for _, any := range [][]string{nil, {"*"}} {
		s := start(t, t.Context(), &web.Server{Hosts: any, App: named("app")})
		if got := s.get("/", host("any.example")); got.status != 200 {
			t.Errorf("hosts %q: got %+v", any, got)
		}
	}
}

func TestHostsThatNoRequestHasAreRefused(t *testing.T) {
	for _, name := range []string{"", "https://app.example.com", "app.example.com:8080", "*.example.com", "b\u00fccher.example", "a b", "127.1"} {
		if err := web.CheckHosts([]string{"fine.example", name}); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
	if err := web.CheckHosts([]string{"*", "::1", "10.0.0.1", "a.example.", "xn--bcher-kva.example", "my_app"}); err != nil {
		t.Error(err)
	}
}
