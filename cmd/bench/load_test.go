package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// speak serves WebSockets of the resume protocol, each with a function.
func speak(t *testing.T, talk func(conn *websocket.Conn, user string)) (url string) {
	t.Helper()
	upgrader := websocket.Upgrader{Subprotocols: []string{protocolV1}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		talk(conn, r.URL.Query().Get("user"))
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/?user=%d"
}

// loadLines runs a load generator and returns the lines that it prints.
func loadLines(t *testing.T, args ...string) (ready string, r received, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if err := load(t.Context(), args, &out, &errs); err != nil {
		t.Fatal(err)
	}
	ready, rest, _ := strings.Cut(out.String(), "\n")
	if err := json.Unmarshal([]byte(rest), &r); err != nil {
		t.Fatalf("result %q: %v", rest, err)
	}
	return ready, r, errs.String()
}

func TestLoadSpeaksTheProtocol(t *testing.T) {
	url := speak(t, func(conn *websocket.Conn, user string) {
		hear := func(want string) {
			if _, data, err := conn.ReadMessage(); err != nil || string(data) != want {
				t.Errorf("user %s: heard %q, %v, want %q", user, data, err, want)
			}
		}
		say := func(format string, args ...any) {
			if err := conn.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, format, args...)); err != nil {
				t.Error(err)
			}
		}
		hear(`{"connect":{}}`)
		say(`{"connected":{"connection":"c","user":%q,"at":{"":"p"}}}`, user)
		say(`{}`)
		hear(`{}`)
		ago := time.Now().Add(-time.Second).UnixNano()
		say(`{"at":"p1","data":{"ts":%d,"pad":"xxx"}}`, ago)
		say(`{"ts":%d}`+"\n"+`{"ts": %d}`, ago, ago) // two in one frame
		_, _, _ = conn.ReadMessage()                 // until the client goes
	})
	ready, r, stderr := loadLines(t, "-url", url, "-protocol", protocolV1, "-first", `{"connect":{}}`, "-pong", "{}",
		"-conns", "6", "-per-user", "2", "-expect", "18")
	if !strings.HasPrefix(ready, "READY conns=6 failed=0 in=") || stderr != "" {
		t.Errorf("it printed %q, and on stderr %q", ready, stderr)
	}
	if r.Received != 18 || r.Expected != 18 || r.Closed != 0 {
		t.Errorf("result %+v, want all of 18 received", r)
	}
	for _, ms := range []float64{r.P50, r.P99, r.Max} {
		if ms < 1000 || ms > 20_000 {
			t.Errorf("result %+v, want delays of a second and a bit", r)
		}
	}
}

func TestLoadTellsWhatIsMissing(t *testing.T) {
	url := speak(t, func(conn *websocket.Conn, user string) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"ts":1}`))
		if user != "0" {
			_, _, _ = conn.ReadMessage()
		} // and user 0 loses the connection
	})
	_, r, _ := loadLines(t, "-url", url, "-conns", "3", "-expect", "4", "-quiet", "300ms")
	if r.Received != 3 || r.Expected != 4 || r.Closed != 1 || !strings.Contains(r.Why, "1006") {
		t.Errorf("result %+v, want 3 of 4 received and one connection closed without a code", r)
	}
}

func TestLoadCountsRepeats(t *testing.T) {
	url := speak(t, func(conn *websocket.Conn, _ string) {
		for range 3 {
			_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"ts":1}`))
		}
		_, _, _ = conn.ReadMessage()
	})
	_, r, _ := loadLines(t, "-url", url, "-conns", "1", "-expect", "2")
	if r.Received != 3 {
		t.Errorf("result %+v, want 3 received where 2 were expected", r)
	}
}

func TestLoadTellsOfConnectionsThatFail(t *testing.T) {
	refusing := speak(t, func(conn *websocket.Conn, _ string) {
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"error":"not today"}`))
		_, _, _ = conn.ReadMessage()
	})
	for _, c := range []struct {
		why  string
		args []string
	}{
		{"not today", []string{"-url", refusing, "-protocol", protocolV1, "-first", "{}"}},
		{`asked for the subprotocol "other"`, []string{"-url", refusing, "-protocol", "other"}},
		{"connection refused", []string{"-url", "ws://127.0.0.1:1"}},
	} {
		ready, _, stderr := loadLines(t, append(c.args, "-conns", "2", "-expect", "1", "-timeout", "1ms")...)
		if !strings.HasPrefix(ready, "READY conns=0 failed=2 ") || !strings.Contains(stderr, c.why) {
			t.Errorf("it printed %q, and on stderr %q, want %q", ready, stderr, c.why)
		}
	}
}
