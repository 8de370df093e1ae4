package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
	"github.com/queuerun/queuerun/web/browsertest"
)

// Whoever opens the address that the log has sees the dashboard, acts through it, and
// has no token in the address any more. Without it there is nothing to see.
func testToken(t *testing.T, browser *browsertest.Browser) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	access := &web.Access{Principals: []web.Principal{{Name: "token", Secret: "t0ken", InURL: true, Scopes: web.AllScopes}}}
	s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb, Access: access}})
	b := &board{browser.Open(t, s.url+"/monitoring"), t, s.url + "/monitoring", "orders"}
	b.shows("needs the token")
	b.Do(chromedp.Navigate(b.url + "?token=t0ken"))
	b.See("the queue", row("orders")+" !== undefined")
	b.See("the address without the token", `location.pathname === "/monitoring" && location.search === "" && !document.cookie`)
	b.Do(chromedp.Navigate(b.url))
	b.See("the queue again", row("orders")+" !== undefined")
	b.press("orders", "Pause")
	redistest.Eventually(t, patience, "the queue to be paused", func() bool {
		info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo("orders")
		return err == nil && info.Paused
	})
}
