package socket

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// BenchmarkPushToClient measures the way from Push over an idle worker and
// socket.Send to the client, one job at a time, and in between what one PING to
// the same Redis takes. The metrics are in microseconds.
func BenchmarkPushToClient(b *testing.B) {
	rdb := redistest.Real(b).Client(b)
	var trips = jobs.NewQueue[string]("trips")
	handlers := []jobs.Handler{trips.Handle(func(ctx context.Context, s string) error { return Send(ctx, s) })}
	client := jobs.NewClient(rdb)
	client.Handles = handlers
	ctx, stop := context.WithCancel(client.Context(outside(rdb)))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	s := &Server{Redis: rdb, Jobs: client, Logger: quiet, Handlers: Handlers{OnConnect: byQuery}}
	running.Go(func() { _ = s.Run(ctx) })
	running.Go(func() { _ = (&jobs.Worker{Redis: rdb, Handlers: handlers, Logger: quiet}).Run(ctx) })
	redistest.Eventually(b, patience, "the server to run", s.Ready)
	front := httptest.NewServer(s)
	defer front.Close()
	conn, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(front.URL, "http")+"?user=ada", nil)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()

	ctx = jobs.WithUserID(ctx, "ada")
	var trip, ping []time.Duration
	one := func(i int) {
		began := time.Now()
		if _, err := trips.Push(ctx, fmt.Sprint(i)); err != nil {
			b.Fatal(err)
		}
		if _, data, err := conn.ReadMessage(); err != nil || string(data) != fmt.Sprint(i) {
			b.Fatalf("received %q, %v", data, err)
		}
		trip = append(trip, time.Since(began))
		began = time.Now()
		if err := rdb.Ping(ctx).Err(); err != nil {
			b.Fatal(err)
		}
		ping = append(ping, time.Since(began))
	}
	one(-1) // connects everything
	trip, ping = nil, nil
	for i := 0; b.Loop(); i++ {
		one(i)
	}
	for name, d := range map[string][]time.Duration{"trip": trip, "ping": ping} {
		slices.Sort(d)
		b.ReportMetric(float64(d[len(d)/2].Microseconds()), name+"-p50-µs")
		b.ReportMetric(float64(d[len(d)*99/100].Microseconds()), name+"-p99-µs")
	}
}
