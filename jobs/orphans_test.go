package jobs

import (
	"context"
	"log/slog"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestOrphansAreRecoveredWhenSeenTwice(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		ctx := context.Background()
		queue := NewQueue[string]("q")
		l := &lease{rdb: rdb, queues: []string{"q"}, log: slog.New(slog.DiscardHandler),
			dropped: func(string) bool { return true }}
		if err := l.take(ctx); err != nil {
			t.Fatal(err)
		}
		client := NewClient(rdb)
		client.Handles = []Handler{queue.Handle(func(context.Context, string) error { return nil })}
		start := func(payload, worker string) string {
			t.Helper()
			id, err := queue.Push(client.Context(ctx), payload)
			if err != nil {
				t.Fatal(err)
			}
			looker := looker{rdb: rdb, name: "q"}
			if got, err := looker.look(ctx, worker, 1, true); err != nil || len(got.jobs) != 1 || got.jobs[0].jobID != id {
				t.Fatalf("the look brought %+v, %v", got, err)
			}
			return id
		}
		mine, orphan := start("mine", l.worker()), start("orphan", "FORGOTTEN")
		o := &orphans{lease: l, queue: "q"}
		for pass, want := range []State{Active, Pending} {
			if err := o.check(ctx); err != nil {
				t.Fatal(err)
			}
			if info, err := client.Get(ctx, "q", orphan); err != nil || info.State != want {
				t.Errorf("after pass %d the orphan is %q, %v, want %q", pass+1, info.State, err, want)
			}
		}
		if info, err := client.Get(ctx, "q", mine); err != nil || info.State != Active {
			t.Errorf("the job of a living worker is %q, %v", info.State, err)
		}
	})
}
