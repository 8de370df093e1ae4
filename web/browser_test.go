package web_test

import (
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
	"github.com/queuerun/queuerun/web/browsertest"
)

// The dashboard is a program in the browser that was made for the root of a site:
// its links and what it loads must work below /monitoring.
func TestDashboardWorksInABrowser(t *testing.T) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb}})
	page := browsertest.Start(t).Open(t, s.url+"/monitoring")

	const link = `document.querySelector('a[href^="/monitoring/queues/orders"]')`
	page.See("the link to the queue", link+" !== null")
	page.Eval(link + ".click()")
	const queuePage = `location.pathname === "/monitoring/queues/orders" && document.body.innerText.includes("Pending 1")`
	page.See("the queue and its job", queuePage)
	page.Eval("window.old = true")
	page.Eval("location.reload()")
	page.See("the same after a reload", "window.old === undefined && "+queuePage)
}
