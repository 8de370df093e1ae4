package jobs_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

func TestAnOverrunIsLoggedWhenItHappensWithTheHandlersStack(t *testing.T) {
	queue := jobs.NewQueue[string]("q")
	release, log := make(chan struct{}), new(buffer)
	handler := queue.Handle(func(ctx context.Context, how string) error {
		if how == "overruns" {
			waitForNobody(release)
		}
		return nil
	}, jobs.Timeout(20*time.Millisecond))
	rdb := redistest.Embedded(t)
	stop := runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	ctx := clientContext(rdb, handler)
	id := must(t)(queue.Push(ctx, "overruns"))
	waitUntilGone(t, rdb, "q", must(t)(queue.Push(ctx, "returns")))
	const said = "the handler has not returned although its time-out has passed"
	redistest.Eventually(t, soon, "the overrun to be logged", func() bool { return strings.Contains(log.String(), said) })
	close(release)
	redistest.Eventually(t, soon, "the handler's return to be logged", func() bool { return strings.Contains(log.String(), "the handler returned later") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, said) {
			lines = append(lines, line)
		}
	}
	if len(lines) != 1 {
		t.Fatalf("%d lines say so: %q", len(lines), lines)
	}
	for _, want := range []string{"job=" + id, "queue=q", "timeout=20ms", "jobs_test.waitForNobody", "overrun_test.go"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("%q is missing in %s", want, lines[0])
		}
	}
}

// waitForNobody is what a stack has to show.
//
//go:noinline
func waitForNobody(release chan struct{}) { <-release }
