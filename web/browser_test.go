package web_test

import (
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web/browsertest"
)

// One browser is enough for all tests of the dashboard's pages.
func TestDashboardInABrowser(t *testing.T) {
	browser := browsertest.Start(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *browsertest.Browser)
	}{
		{"all pending jobs", testAllPending},
		{"selected jobs", testSelected},
		{"all first of a group", testAllFirst},
		{"the first of a group", testFirst},
		{"a job given up", testGivenUp},
		{"states of a standard queue", func(t *testing.T, b *browsertest.Browser) { testStates(t, b, "orders") }},
		{"states of a FIFO queue", func(t *testing.T, b *browsertest.Browser) { testStates(t, b, "orders.fifo") }},
		{"all waiting jobs", testAllWaiting},
		{"a waiting job", testWaiting},
		{"a running job", testRunning},
		{"below /monitoring", testBelowMonitoring},
		{"schedules", testSchedules},
		{"the token of the start", testToken},
		{"a name of another site", testRebound},
		{"jobs of any id", testIDs},
		{"numbers", testNumbers},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, browser)
		})
	}
}

// The dashboard is a program in the browser that was made for the root of a site:
// its links and what it loads must work below /monitoring.
func testBelowMonitoring(t *testing.T, browser *browsertest.Browser) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	b := newBoard(t, browser, rdb, "orders")
	b.openQueues()
	const link = `document.querySelector('a[href^="/monitoring/queues/orders"]')`
	b.See("the link to the queue", link+" !== null")
	b.Eval(link + ".click()")
	const queuePage = `location.pathname === "/monitoring/queues/orders" && document.body.innerText.includes("Pending 1")`
	b.See("the queue and its job", queuePage)
	b.Eval("window.old = true")
	b.Eval("location.reload()")
	b.See("the same after a reload", "window.old === undefined && "+queuePage)
}
