package scheduler_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/redis/go-redis/v9"
)

// declare makes schedules known to Redis, as a scheduler process does when it
// starts, and returns a context to use them with.
func declare(t *testing.T, rdb *redis.Client, schedules ...scheduler.Schedule) context.Context {
	t.Helper()
	client := jobs.NewClient(rdb)
	client.Handles = []jobs.Handler{scheduler.Handler(schedules)}
	ctx := client.Context(t.Context())
	stop := run(t, newScheduler(rdb, schedules...).Run)
	redistest.Eventually(t, 15*time.Second, "the schedules to be known", func() bool {
		list, err := scheduler.List(ctx)
		return err == nil && len(list) == len(schedules)
	})
	stop()
	return ctx
}

func trigger(t *testing.T, ctx context.Context, name string) string {
	t.Helper()
	id, err := scheduler.Trigger(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// last waits until the run has ended that ended last, and returns it.
func last(t *testing.T, ctx context.Context, name, id string) *scheduler.Ended {
	t.Helper()
	var ended *scheduler.Ended
	eventually(t, "the run "+id+" to have ended", func() bool {
		list, err := scheduler.List(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list, func(s scheduler.Status) bool { return s.Name == name })
		ended = list[i].Last
		return ended != nil && ended.Run.ID == id
	})
	return ended
}

// held is a schedule whose runs go on until they are released.
type held struct {
	began, release chan string
	going, most    atomic.Int64
}

func newHeld() *held { return &held{began: make(chan string, 100), release: make(chan string, 100)} }

func (h *held) run(ctx context.Context) error {
	h.most.Store(max(h.most.Load(), h.going.Add(1)))
	defer h.going.Add(-1)
	tick, _ := scheduler.FromContext(ctx)
	h.began <- tick.ID
	select {
	case <-h.release:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestOverlapSkip(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		h := newHeld()
		// Skip is the default.
		schedules := []scheduler.Schedule{scheduler.New("report", "never", h.run), scheduler.New("other", "never", nothing)}
		ctx := declare(t, rdb, schedules...)
		run(t, newWorker(rdb, schedules...).Run)
		first := trigger(t, ctx, "report")
		<-h.began
		second := trigger(t, ctx, "report")
		ended := last(t, ctx, "report", second)
		reason := "the run " + first + " was going on"
		if ended.Result != scheduler.Skipped || ended.Reason != reason {
			t.Errorf("got %+v", ended)
		}
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		info, err := client.Wait(ctx, scheduler.QueueName, second)
		if err != nil || info.State != jobs.Completed || string(info.Result) != "skipped: "+reason {
			t.Errorf("the job that was skipped: %+v, %v", info, err)
		}
		other := trigger(t, ctx, "other")
		if ended := last(t, ctx, "other", other); ended.Result != scheduler.Succeeded {
			t.Errorf("another schedule: %+v", ended)
		}
		h.release <- ""
		if ended := last(t, ctx, "report", first); ended.Result != scheduler.Succeeded || ended.Took <= 0 {
			t.Errorf("got %+v", ended)
		}
		third := trigger(t, ctx, "report")
		if id := <-h.began; id != third {
			t.Errorf("after the first has ended, %s began, want %s", id, third)
		}
		h.release <- ""
		last(t, ctx, "report", third)
	})
}

func TestOverlapAllow(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		h := newHeld()
		schedule := scheduler.New("report", "never", h.run, scheduler.Overlap(scheduler.Allow))
		ctx := declare(t, rdb, schedule)
		run(t, newWorker(rdb, schedule).Run)
		for range 3 {
			trigger(t, ctx, "report")
			<-h.began
		}
		for range 3 {
			h.release <- ""
		}
	})
}

func TestOverlapQueue(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		h := newHeld()
		schedule := scheduler.New("report", "every second", h.run, scheduler.Overlap(scheduler.Queue), scheduler.CatchUp(scheduler.All(100)),
			scheduler.Timeout(time.Minute))
		run(t, newScheduler(rdb, schedule).Run)
		run(t, newWorker(rdb, schedule).Run)
		<-h.began
		// The next ticks come meanwhile, and wait.
		eventually(t, "more ticks", func() bool { return rdb.LLen(t.Context(), "asynq:{schedules}:fifo:report").Val() >= 4 })
		if n := len(h.began); n != 0 {
			t.Errorf("%d more runs have begun", n)
		}
		var began []string
		for range 3 {
			h.release <- ""
			began = append(began, <-h.began)
		}
		if !slices.IsSorted(began) {
			t.Errorf("they began as %v", began)
		}
		if n := h.most.Load(); n != 1 {
			t.Errorf("%d runs went on side by side", n)
		}
		for range 100 {
			h.release <- ""
		}
	})
}

// A worker that is killed while it runs a schedule holds the next runs up until
// its lease is over, and no longer.
func TestRunOfAKilledWorkerHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	rdb := server.Client(t)
	schedules := ofProcesses(rdb)
	ctx := declare(t, rdb, schedules...)
	victim := launch(t, child{Role: "worker", Redis: server.Addr})
	first, queued := trigger(t, ctx, "held"), trigger(t, ctx, "queued")
	eventually(t, "the runs to begin", func() bool {
		return len(begunRuns(t, rdb, "held")) == 1 && len(begunRuns(t, rdb, "queued")) == 1
	})
	launch(t, child{Role: "worker", Redis: server.Addr})
	victim.kill()
	killed := time.Now()
	second := trigger(t, ctx, "held")
	if ended := last(t, ctx, "held", second); ended.Result != scheduler.Skipped || !strings.Contains(ended.Reason, first) {
		t.Errorf("before the lease of the first is over: %+v", ended)
	}
	next := trigger(t, ctx, "queued")
	eventually(t, "the runs to begin anew", func() bool {
		return len(begunRuns(t, rdb, "held")) == 2 && len(begunRuns(t, rdb, "queued")) == 2
	})
	if took := time.Since(killed); took > 20*time.Second {
		t.Errorf("they began anew %v after the worker was killed", took)
	}
	for name, id := range map[string]string{"held": first, "queued": queued} {
		if again := begunRuns(t, rdb, name)[1]; again.ID != id || again.Attempt != 2 {
			t.Errorf("got %+v, want the second attempt of %s", again, id)
		}
	}
	rdb.RPush(ctx, releaseList, "", "", "", "")
	last(t, ctx, "held", first)
	last(t, ctx, "queued", next)
	third := trigger(t, ctx, "held")
	if ended := last(t, ctx, "held", third); ended.Result != scheduler.Succeeded {
		t.Errorf("a run after the recovered one: %+v", ended)
	}
}
