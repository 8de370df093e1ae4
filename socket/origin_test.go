package socket

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// Whose pages may connect, however the list, the host and the proxies have it written.
func TestOriginsAreMeant(t *testing.T) {
	plain, tlsOn := func(*http.Request) {}, func(r *http.Request) { r.TLS = &tls.ConnectionState{} }
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	const page, plainPage = "https://app.example.com", "http://app.example.com"
	for _, test := range []struct {
		list   string
		host   string
		origin string
		by     func(*http.Request)
		want   bool
	}{
		{"", "app.example.com", page, plain, true},
		{"", "app.example.com:443", page, plain, true},
		{"", "APP.example.com", page, plain, true},
		{"", "app.example.com:80", plainPage, plain, true},
		{"", "app.example.com:8080", plainPage + ":8080", plain, true},
		{"", "app.example.com", page + ":8443", plain, false},
		{"", "app.example.com", "https://evil.example", plain, false},
		{"", "app.example.com", "null", plain, false},
		{"", "app.example.com", "https://app.example.com/", plain, true},
		{"", "app.example.com", "https://me@app.example.com", plain, false},
		{"", "app.example.com", "app.example.com", plain, false},
		// A page without TLS is none of a site with TLS.
		{"", "app.example.com", plainPage, plain, true},
		{"", "app.example.com", plainPage, tlsOn, false},
		{"", "app.example.com", page, tlsOn, true},
		{"", "app.example.com", plainPage, set("X-Forwarded-Proto", "https"), false},
		{"", "app.example.com", plainPage, set("X-Forwarded-Proto", "WSS, http"), false},
		{"", "app.example.com", plainPage, set("X-Forwarded-Proto", "http,https"), true},
		{"", "app.example.com", plainPage, set("Forwarded", `for=192.0.2.60; Proto="https";by=203.0.113.43, proto=http`), false},
		{"", "app.example.com", page, set("X-Forwarded-Proto", "http"), true}, // an inner proxy without TLS
		{plainPage, "app.example.com", plainPage, tlsOn, true},                // it is listed
		{"https://a.example", "app.example.com", "https://a.example", plain, true},
		{"https://A.example:443/", "app.example.com", "https://a.example", plain, true},
		{"https://a.example", "app.example.com", "http://a.example", plain, false},
		{"https://a.example", "app.example.com", "https://a.example:8443", plain, false},
		{"https://xn--bcher-kva.example", "app.example.com", "https://xn--bcher-kva.example", plain, true},
		{"capacitor://localhost", "app.example.com", "capacitor://localhost", plain, true},
		{"null", "app.example.com", "null", plain, true},
		{"*", "app.example.com", "https://evil.example", plain, true},
		{"*", "app.example.com", "null", plain, true},
	} {
		var list []string
		if test.list != "" {
			list = []string{"https://other.example", test.list}
		}
		o, err := readOrigins(list)
		if err != nil {
			t.Errorf("%s: %v", test.list, err)
		}
		r := httptest.NewRequest("GET", "/socket", nil)
		r.Host = test.host
		r.Header.Set("Origin", test.origin)
		if test.by(r); o.allow(r) != test.want {
			t.Errorf("list %q, host %s, origin %s, headers %v: allowed %t, want %t", test.list, test.host, test.origin, r.Header, !test.want, test.want)
		}
	}
	r := httptest.NewRequest("GET", "/socket", nil)
	r.Header["Origin"] = []string{"http://example.com", "https://evil.example"}
	if (origins{}).allow(r) {
		t.Error("two origins are allowed")
	}
}

func TestOriginsThatNoPageHasAreRefusedAtTheStart(t *testing.T) {
	rdb := redistest.Embedded(t)
	for _, origin := range []string{"", "app.example.com", "https://b\u00fccher.example", "https://*.example.com", "https://app.example.com/app", "wss://app.example.com"} {
		err := (&Server{Redis: rdb, Origins: []string{"https://fine.example", origin}}).Run(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "socket: Server.Origins: ") {
			t.Errorf("%q: Run returned %v", origin, err)
		}
	}
}

// The page is not told why it may not connect; the log is, and not a line for each.
func TestRefusedOriginsAreInTheLog(t *testing.T) {
	rdb := redistest.Embedded(t)
	var lines bytes.Buffer
	s := serve(t, &Server{Redis: rdb, Logger: slog.New(slog.NewTextHandler(&lines, nil))})
	for range 20 {
		_, resp, err := websocket.DefaultDialer.Dial(s.URL, http.Header{"Origin": {"https://evil.example"}, "Host": {"app.example.com"}})
		if resp == nil || resp.StatusCode != 403 {
			t.Fatalf("got %v, %v", resp, err)
		}
	}
	const want = `refused a connection from a page of another site`
	if n := strings.Count(lines.String(), want); n != 1 || !strings.Contains(lines.String(), "evil.example") || !strings.Contains(lines.String(), "app.example.com") {
		t.Errorf("the log has %d lines:\n%s", n, lines.String())
	}
}

// A proxy that adds the port of the site to the host changes nothing.
func TestTheHostMayHaveTheSitesOwnPort(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb})
		conn, resp, err := websocket.DefaultDialer.Dial(s.URL, http.Header{"Origin": {"https://app.example.com"}, "Host": {"app.example.com:443"}})
		if err != nil {
			t.Fatalf("%v, %v", resp, err)
		}
		conn.Close()
	})
}

// A list of subprotocols may be in several lines, of which any may have ours.
func TestSubprotocolsInSeveralLines(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb})
		for _, lines := range [][]string{
			{Protocol}, {"other, " + Protocol}, {"other", Protocol}, {"other, more", "x", Protocol + ", y"}, {Protocol, "other"},
		} {
			conn, resp, err := websocket.DefaultDialer.Dial(s.URL, http.Header{subprotocolHeader: lines})
			if err != nil || conn.Subprotocol() != Protocol {
				t.Fatalf("%q: %v, %v", lines, resp, err)
			}
			conn.WriteMessage(websocket.TextMessage, []byte(`{"connect":{}}`))
			if _, hello, err := conn.ReadMessage(); err != nil || !strings.Contains(string(hello), `{"connected":`) {
				t.Errorf("%q: got %s, %v", lines, hello, err)
			}
			conn.Close()
		}
		conn, _, err := websocket.DefaultDialer.Dial(s.URL, http.Header{subprotocolHeader: {"other", "more"}})
		if err != nil || conn.Subprotocol() != "" {
			t.Errorf("none of ours: %v", err)
		}
		conn.Close()
	})
}
