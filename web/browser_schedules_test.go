package web_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/web/browsertest"
)

// The page of schedules shows each of them once, although three processes have
// them, and when it was pushed.
func testSchedules(t *testing.T, browser *browsertest.Browser) {
	rdb := redistest.Embedded(t)
	nothing := func(context.Context) error { return nil }
	schedules := []scheduler.Schedule{
		scheduler.New("pulse 1/s", "every second", nothing),
		scheduler.New("report", "30 9 * * mon-fri", nothing),
		scheduler.New("cleanup", "@every 90m", nothing),
		scheduler.New("only by hand", "never", nothing),
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	for range 3 {
		client := jobs.NewClient(rdb)
		client.Handles = []jobs.Handler{scheduler.Handler(schedules)}
		s := &scheduler.Scheduler{Redis: rdb, Jobs: client, Schedules: schedules, Logger: slog.New(slog.DiscardHandler)}
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Errorf("a scheduler stopped with: %v", err)
			}
		})
	}
	client := jobs.NewClient(rdb)
	b := newBoard(t, browser, rdb, scheduler.QueueName)
	redistest.Eventually(t, patience, "the page to have the ticks", func() bool {
		return rdb.ZCard(ctx, "asynq:scheduler_history:pulse 1/s").Val() >= 3
	})
	if err := scheduler.Pause(client.Context(ctx), "cleanup"); err != nil {
		t.Fatal(err)
	}
	redistest.Eventually(t, patience, "the page to know that one is paused", func() bool {
		return strings.Contains(strings.Join(rdb.LRange(ctx, "asynq:schedulers:{schedules}", 0, -1).Val(), ""), "(paused)")
	})
	b.load("/schedulers")
	b.See("the table", row("pulse 1~2Fs")+" !== undefined")
	// Cells: id, spec, type, payload, options, next, previous.
	cells := func(name string) []string {
		return browsertest.Value[[]string](b.Page, `[...`+row(name)+`.cells].map((cell) => cell.innerText.trim())`)
	}
	for name, want := range map[string]struct{ spec, next, prev string }{
		"pulse 1~2Fs": {"every second", "", "ago"},
		// Without a next tick there are millions of days to it.
		"report":       {"30 9 * * mon-fri", "in ", "N/A"},
		"cleanup":      {"@every 90m (paused)", "in 29", "N/A"},
		"only by hand": {"never", "in 29", "N/A"},
	} {
		got := cells(name)
		if got[0] != name || got[1] != want.spec || got[2] != "schedules" || !strings.Contains(got[3], `"cron"`) ||
			!strings.HasPrefix(got[5], want.next) || !strings.HasSuffix(got[6], want.prev) {
			t.Errorf("%s: the page shows %q", name, got)
		}
	}
	if rows := browsertest.Value[int](b.Page, `document.querySelectorAll("tbody tr").length`); rows != len(schedules) {
		t.Errorf("the page shows %d rows, want one for each of %d schedules", rows, len(schedules))
	}
	b.Eval(row("pulse 1~2Fs") + `.querySelector("button").click()`)
	b.shows("Recent History", "pulse 1~2Fs:")
}
