package cmd_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
)

func TestRunServesTheGivenListenerAndClosesIt(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	queue := jobs.NewQueue[int]("numbers")
	got := make(chan int, 1)
	app := cmd.App{
		Listener: listener,
		Logger:   slog.New(slog.DiscardHandler),
		Jobs:     []jobs.Handler{queue.Handle(func(_ context.Context, n int) error { got <- n; return nil })},
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := queue.Push(r.Context(), 42); err != nil {
				http.Error(w, err.Error(), 500)
			}
		}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	defer http.DefaultClient.CloseIdleConnections()
	res, err := http.Post("http://"+listener.Addr().String(), "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 {
		t.Errorf("got %d %s", res.StatusCode, body)
	}
	if n := <-got; n != 42 {
		t.Errorf("the job has %d", n)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		conn.Close()
		t.Error("the listener is still open")
	}
}

func TestRunWaitsBodyTimeoutForABody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan error, 1)
	app := cmd.App{
		Listener: listener, BodyTimeout: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.ReadAll(r.Body)
			read <- err
		}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nx")
	if err := <-read; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading the body: %v", err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestRunStopsWhenAPartFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	err = cmd.App{Listener: listener, Logger: slog.New(slog.DiscardHandler)}.Run(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "serve HTTP on 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

func TestRunThatIsStoppedBeforeItStarted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (cmd.App{Logger: slog.New(slog.DiscardHandler), Addr: "127.0.0.1:0"}).Run(ctx); err != nil {
		t.Errorf("got %v", err)
	}
}
