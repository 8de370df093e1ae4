package web_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/web/browsertest"
)

// Every job of package jobs is in the dashboard, whatever has become of it.
func testStates(t *testing.T, browser *browsertest.Browser, queue string) {
	var wait atomic.Int64
	s := newStage(t, queue, jobs.Concurrency(1), jobs.Retries(1),
		jobs.Backoff(func(int) time.Duration { return time.Duration(wait.Load()) }))
	b := newBoard(t, browser, s.rdb, queue)
	s.fail(true, "given up", "failed")
	s.push("given up")
	s.be("archived", "given up")
	wait.Store(int64(time.Hour))
	s.push("failed")
	s.be("retry", "failed")
	s.pushWith("kept", jobs.Retain(time.Hour))
	s.be("completed", "kept")
	s.hold("running")
	s.push("running")
	s.be("active", "running")
	s.push("next")
	if s.fifo {
		s.push("not the next") // of the same group
	} else {
		s.pushWith("not the next", jobs.In(time.Hour))
	}

	b.open("active")
	for _, job := range []struct{ state, item string }{
		{"active", "running"}, {"pending", "next"}, {"scheduled", "not the next"},
		{"retry", "failed"}, {"archived", "given up"}, {"completed", "kept"},
	} {
		if got := s.state(job.item); got != job.state {
			t.Errorf("%s is %s, want %s", job.item, got, job.state)
		}
		b.choose(job.state)
		b.See(job.item, row(payload(job.item))+" !== undefined")
		if n := browsertest.Value[int](b.Page, `document.querySelectorAll("tbody tr").length`); n != 1 {
			t.Errorf("%d jobs are %s, want 1", n, job.state)
		}
		b.shows(strings.ToUpper(job.state[:1]) + job.state[1:] + " 1") // how many there are
		if job.state == "retry" || job.state == "archived" {
			b.shows("out of stock: " + job.item)
		}
		waits := s.fifo && job.state == "scheduled" // for its turn, at no time that is known
		if waits && !b.Is(row(payload(job.item))+`.cells[4].innerText.trim() === "-"`) {
			t.Error("the page shows a time for a job that waits for its turn")
		}
		// A click on the row shows the job by itself.
		b.Eval(row(payload(job.item)) + ".click()")
		b.shows("Task Info", s.ids[job.item], payload(job.item), job.state)
		if waits {
			b.shows("when it is the first of its group")
		}
		b.Do(chromedp.NavigateBack())
	}
}
