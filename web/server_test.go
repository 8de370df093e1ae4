package web_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/queuerun/queuerun/web"
)

// slow is an App whose requests take until they are told to finish.
type slow struct {
	entered chan struct{}
	finish  chan struct{}
	ended   chan error // of each request's context
}

func newSlow() *slow {
	return &slow{make(chan struct{}, 1), make(chan struct{}), make(chan error, 1)}
}

func (s *slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.entered <- struct{}{}
	select {
	case <-s.finish:
	case <-r.Context().Done():
	}
	s.ended <- r.Context().Err()
	fmt.Fprint(w, "done")
}

func TestStopWaitsForRequestsInFlight(t *testing.T) {
	app := newSlow()
	s := start(t, t.Context(), &web.Server{App: app})
	got := make(chan answer, 1)
	go func() { got <- s.get("/") }()
	<-app.entered
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	// It takes no more requests.
	for {
		conn, err := net.Dial("tcp", s.url[len("http://"):])
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-stopped:
		t.Fatalf("Run returned %v while a request was in flight", err)
	default:
	}
	close(app.finish)
	if err := <-app.ended; err != nil {
		t.Errorf("the request's context ended: %v", err)
	}
	if a := <-got; a.status != 200 || a.body != "done" {
		t.Errorf("got %+v", a)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

func TestStopWaitsNoLongerThanDrain(t *testing.T) {
	app := newSlow()
	s := start(t, t.Context(), &web.Server{App: app, Drain: 20 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	failed := make(chan error, 1)
	go func() {
		res, err := http.Get(s.url)
		if err == nil {
			res.Body.Close()
		}
		failed <- err
	}()
	<-app.entered
	if err := s.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	if err := <-app.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the request's context: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request succeeded")
	}
}

func TestRunReportsAListenerThatFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	s := &web.Server{Listener: listener}
	if err := s.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
