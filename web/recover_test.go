package web_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/queuerun/queuerun/web"
)

// log keeps what is logged.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestPanicIsAnAnswerAndALogLine(t *testing.T) {
	var logged log
	s := start(t, t.Context(), &web.Server{Logger: logged.logger(), App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		panic("out of cheese")
	})})
	got := s.get("/mill")
	if got.status != 500 || got.body != `{"error":"internal server error"}` {
		t.Errorf("got %+v", got)
	}
	for _, want := range []string{"out of cheese", "path=/mill", "recover_test.go"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("the log lacks %q: %s", want, logged.String())
		}
	}
}

func TestAHandlerThatEndsItsGoroutineIsAnAnswerAndALogLine(t *testing.T) {
	var logged log
	s := start(t, t.Context(), &web.Server{Logger: logged.logger(), App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		runtime.Goexit()
	})})
	got := s.get("/mill")
	if got.status != 500 || got.body != `{"error":"internal server error"}` {
		t.Errorf("got %+v", got)
	}
	if !strings.Contains(logged.String(), "runtime.Goexit") || !strings.Contains(logged.String(), "path=/mill") {
		t.Errorf("log: %s", logged.String())
	}
}

// brokenLog is a slog handler that does not work.
type brokenLog struct{ slog.Handler }

func (brokenLog) Enabled(context.Context, slog.Level) bool  { return true }
func (brokenLog) Handle(context.Context, slog.Record) error { panic("out of paper") }

// The log line of a request that is cut is written by net/http, outside of any
// recover.
func TestALoggerThatPanicsTakesNothingWithIt(t *testing.T) {
	s := start(t, t.Context(), &web.Server{Logger: slog.New(brokenLog{slog.DiscardHandler}), App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		panic("out of cheese")
	})})
	for range 2 {
		if got := s.get("/mill"); got.status != 500 {
			t.Errorf("got %+v", got)
		}
	}
}

func TestPanicInTheMiddleOfAnAnswerCutsTheConnection(t *testing.T) {
	for name, begin := range map[string]func(http.ResponseWriter){
		"flushed":   func(w http.ResponseWriter) { fmt.Fprint(w, "half"); w.(http.Flusher).Flush() },
		"read from": func(w http.ResponseWriter) { io.Copy(w, strings.NewReader(strings.Repeat("x", 100_000))) },
	} {
		var logged log
		s := start(t, t.Context(), &web.Server{Logger: logged.logger(), App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			begin(w)
			panic("out of cheese")
		})})
		res, err := http.Get(s.url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil {
			t.Errorf("%s: the half answer looks whole: %d %.20q", name, res.StatusCode, body)
		}
		if !strings.Contains(logged.String(), "out of cheese") || strings.Contains(logged.String(), "superfluous") {
			t.Errorf("%s: log: %s", name, logged.String())
		}
	}
}

func TestAppCanStreamAndHijack(t *testing.T) {
	goOn := make(chan struct{})
	s := start(t, t.Context(), &web.Server{App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hijack" {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			defer conn.Close()
			fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\ntaken")
			return
		}
		fmt.Fprintln(w, "first")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		<-goOn
		fmt.Fprintln(w, "second")
	})})
	if got := s.get("/hijack"); got.body != "taken" {
		t.Errorf("hijacked: got %+v", got)
	}
	res, err := http.Get(s.url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	if line, _ := lines.ReadString('\n'); line != "first\n" {
		t.Errorf("got %q before the answer was complete", line)
	}
	close(goOn)
	if line, _ := lines.ReadString('\n'); line != "second\n" {
		t.Errorf("got %q at the end", line)
	}
}

func TestTooManyHeadersAreRefused(t *testing.T) {
	s := start(t, t.Context(), &web.Server{App: named("app"), Logger: slog.New(slog.DiscardHandler)})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", strings.Repeat("x", 100_000))
	status, _ := bufio.NewReader(conn).ReadString('\n')
	if !strings.Contains(status, "431") {
		t.Errorf("got %q", status)
	}
}
