package web_test

import (
	"errors"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/web/browsertest"
)

// slowly keeps a job that failed in the state retry for the length of a test.
var slowly = jobs.Backoff(func(int) time.Duration { return time.Minute })

// What is done to a waiting job of a FIFO group in the dashboard happens, and the
// others of its group run in their order.
func testWaiting(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo")
	b := newBoard(t, browser, s.rdb, s.name)
	s.hold("r1", "d1", "a1", "b1")
	s.push("r1", "r2", "r3", "d1", "d2", "d3", "a1", "a2", "a3", "b1", "b2", "b3")
	s.be("active", "r1", "d1", "a1", "b1")

	b.do("scheduled", "r3", "Run", "Scheduled task is now pending")
	s.be("scheduled", "r3") // it has to wait for its turn
	b.do("scheduled", "d2", "Delete", "Scheduled task deleted")
	s.be("gone", "d2")
	b.do("scheduled", "a2", "Archive", "Scheduled task is now archived")
	s.be("archived", "a2")
	b.do("scheduled", "b2", "Archive", "Scheduled task is now archived")
	b.do("archived", "b2", "Run", "Archived task is now pending")
	s.be("scheduled", "b2") // it has kept its place, which nothing has stepped over

	s.release("r1", "d1", "a1", "b1")
	s.push("r4", "d4", "a4", "b4")
	s.runs("r1", "r2", "r3", "r4")
	s.runs("d1", "d3", "d4")
	s.runs("a1", "a3", "a4")
	s.runs("b1", "b2", "b3", "b4")
	s.be("archived", "a2")
}

// The first job of a group holds it back while it waits to be retried.
func testFirst(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo", slowly)
	b := newBoard(t, browser, s.rdb, s.name)
	s.fail(true, "r1", "d1", "a1")
	s.push("r1", "r2", "d1", "d2", "a1", "a2")
	s.be("retry", "r1", "d1", "a1")

	s.fail(false, "r1")
	b.do("retry", "r1", "Run", "Retry task is now pending")
	s.runs("r1", "r1", "r2")
	b.do("retry", "d1", "Delete", "Retry task deleted")
	s.be("gone", "d1")
	b.do("retry", "a1", "Archive", "Retry task is now archived")
	s.be("archived", "a1")
	s.runs("d1", "d2")
	s.runs("a1", "a2")
	s.push("r3", "d3", "a3")
	s.runs("r1", "r1", "r2", "r3")
	s.runs("d1", "d2", "d3")
	s.runs("a1", "a2", "a3")
}

// What was given up takes its place by the order of the pushes when it is run again,
// behind the one whose turn it is.
func testGivenUp(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo", jobs.Retries(0))
	b := newBoard(t, browser, s.rdb, s.name)
	s.fail(true, "r1", "d1", "e1", "f1")
	s.hold("r2")
	s.push("r1", "r2", "r3", "d1", "e1", "f1", "f2")
	s.be("archived", "r1", "d1", "e1", "f1")
	s.be("active", "r2")

	s.fail(false, "r1", "f1")
	b.do("archived", "r1", "Run", "Archived task is now pending")
	s.be("scheduled", "r1")
	b.do("archived", "d1", "Delete", "Archived task deleted")
	s.be("gone", "d1")
	s.be("archived", "e1", "f1")
	s.release("r2")
	s.runs("r1", "r2", "r1", "r3")

	b.doAll("archived", "Run All", "All archived tasks are now pending")
	s.runs("f1", "f2", "f1")
	s.runs("e1", "e1")
	s.be("archived", "e1")
	b.doAll("archived", "Delete All", "All archived tasks deleted")
	s.be("gone", "e1")
	s.push("r4", "d4", "e4", "f4")
	s.runs("r1", "r2", "r1", "r3", "r4")
	s.runs("d1", "d4")
	s.runs("e1", "e1", "e4")
	s.runs("f1", "f2", "f1", "f4")
}

func testAllWaiting(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo")
	b := newBoard(t, browser, s.rdb, s.name)
	s.hold("a1", "b1")
	s.push("a1", "a2", "a3", "b1", "b2", "b3")
	s.be("active", "a1", "b1")
	b.doAll("scheduled", "Run All", "All scheduled tasks are now pending")
	s.be("scheduled", "a2", "a3", "b2", "b3") // all have to wait for their turn
	s.hold("a3", "b3")
	s.release("a1", "b1")
	s.runs("a1", "a2", "a3")
	s.runs("b1", "b2", "b3")

	s.push("a4", "a5", "b4", "b5")
	b.doAll("scheduled", "Archive All", "All scheduled tasks are now archived")
	s.be("archived", "a4", "a5", "b4", "b5")
	s.push("a6", "b6")
	b.doAll("scheduled", "Delete All", "All scheduled tasks deleted")
	s.be("gone", "a6", "b6")
	s.push("a7", "b7")
	s.release("a3", "b3")
	s.runs("a1", "a2", "a3", "a7")
	s.runs("b1", "b2", "b3", "b7")
	s.be("archived", "a4", "a5", "b4", "b5")
}

func testAllFirst(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo", slowly)
	b := newBoard(t, browser, s.rdb, s.name)
	s.fail(true, "a1", "b1", "a2", "b2", "c1", "d1")
	s.push("a1", "a2", "a3", "b1", "b2", "b3")
	s.be("retry", "a1", "b1")
	s.fail(false, "a1", "b1")
	b.doAll("retry", "Run All", "All retry tasks are now pending")
	s.be("retry", "a2", "b2")
	s.runs("a1", "a1", "a2")
	s.runs("b1", "b1", "b2")
	b.doAll("retry", "Archive All", "All retry tasks are now archived")
	s.be("archived", "a2", "b2")
	s.push("c1", "c2", "d1", "d2")
	s.be("retry", "c1", "d1")
	b.doAll("retry", "Delete All", "All retry tasks deleted")
	s.be("gone", "c1", "d1")
	s.runs("a1", "a1", "a2", "a3")
	s.runs("b1", "b1", "b2", "b3")
	s.runs("c1", "c2")
	s.runs("d1", "d2")
}

// While a queue is paused the first of each group is pending.
func testAllPending(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo")
	b := newBoard(t, browser, s.rdb, s.name)
	s.push("a1")
	s.runs("a1")
	b.openQueues()
	b.press(s.name, "Pause")
	b.See("the queue to be paused", row(s.name)+`.innerText.includes("paused")`)
	s.push("a2", "a3", "a4", "b1", "b2", "b3")
	s.be("pending", "a2", "b1")

	b.do("pending", "a2", "Delete", "Pending task deleted")
	s.be("gone", "a2")
	b.do("pending", "b1", "Archive", "Pending task is now archived")
	s.be("archived", "b1")
	s.be("pending", "a3", "b2")
	b.doAll("pending", "Archive All", "All pending tasks are now archived")
	s.be("archived", "a3", "b2")
	s.be("pending", "a4", "b3")
	b.doAll("pending", "Delete All", "All pending tasks deleted")
	s.be("gone", "a4", "b3")
	s.push("a5", "b4")
	s.runs("a1") // and no others while the queue is paused

	b.openQueues()
	b.press(s.name, "Resume")
	s.runs("a1", "a5")
	s.runs("b4")
}

func testSelected(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo", slowly)
	b := newBoard(t, browser, s.rdb, s.name)
	s.fail(true, "a1", "b1", "c1")
	s.push("a1", "a2", "a3", "a4", "b1", "b2", "b3", "c1", "c2", "c3")
	s.be("retry", "a1", "b1", "c1")
	b.doSelected("scheduled", []string{"a2", "b2"}, "Archive", "2 scheduled tasks are now archived")
	s.be("archived", "a2", "b2")
	b.doSelected("scheduled", []string{"a3", "c2"}, "Delete", "2 scheduled tasks deleted")
	s.be("gone", "a3", "c2")
	b.doSelected("scheduled", []string{"a4", "b3"}, "Run", "2 scheduled tasks are now pending")
	s.be("scheduled", "a4", "b3")

	s.fail(false, "a1")
	b.doSelected("retry", []string{"a1"}, "Run", "1 retry task is now pending")
	b.doSelected("retry", []string{"b1"}, "Delete", "1 retry task deleted")
	b.doSelected("retry", []string{"c1"}, "Archive", "1 retry task is now archived")
	s.runs("a1", "a1", "a4")
	s.runs("b1", "b3")
	s.runs("c1", "c3")
	b.doSelected("archived", []string{"b2"}, "Delete", "1 archived task deleted")
	s.be("gone", "b2")
	b.doSelected("archived", []string{"a2"}, "Run", "1 archived task is now pending")
	s.runs("a1", "a1", "a4", "a2")
}

// A running job that is cancelled is given up, not tried again.
func testRunning(t *testing.T, browser *browsertest.Browser) {
	s := newStage(t, "orders.fifo")
	b := newBoard(t, browser, s.rdb, s.name)
	s.hold("a1", "b1", "c1", "d1")
	s.push("a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2")
	s.be("active", "a1", "b1", "c1", "d1")
	cancelled := func(item, next string) {
		t.Helper()
		s.be("archived", item)
		if err := s.endOf(item); !errors.Is(err, jobs.ErrCancelled) {
			t.Errorf("the context of %s ended with: %v", item, err)
		}
		s.runs(item, next)
	}
	b.open("active")
	b.press(payload("a1"), "Cancel") // the page says nothing
	cancelled("a1", "a2")
	b.doSelected("active", []string{"b1"}, "Cancel", "Cancelation signal sent to 1 task")
	cancelled("b1", "b2")
	for _, item := range []string{"c1", "d1"} {
		if err := s.endOf(item); err != nil {
			t.Errorf("the context of %s ended with: %v", item, err)
		}
	}
	b.doAll("active", "Cancel All", "Cancelation signal sent to all tasks in orders.fifo queue")
	cancelled("c1", "c2")
	cancelled("d1", "d2")

	// It can be run again like any other.
	s.release("a1")
	b.do("archived", "a1", "Run", "Archived task is now pending")
	s.runs("a1", "a2", "a1")
	s.be("gone", "a1")
}
