package web_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web"
)

// newBrowser starts a headless Chromium. Without one on the PATH the test is
// skipped, or fails when REQUIRE_REAL=1 is set.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal("REQUIRE_REAL=1 is set, and chromium is not on the PATH")
		}
		t.Skip("chromium is not on the PATH")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true), chromedp.WSURLReadTimeout(time.Minute))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
		end()
	})
	return ctx
}

// The dashboard is a program in the browser that was made for the root of a site:
// its links and what it loads must work below /monitoring.
func TestDashboardWorksInABrowser(t *testing.T) {
	rdb := redistest.Embedded(t)
	enqueue(t, rdb, "orders")
	s := start(t, t.Context(), &web.Server{Redis: rdb, Dashboard: &web.Dashboard{Redis: rdb}})
	browser := newBrowser(t)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal("start the browser: ", err)
	}
	// The page asks another host for a font, which may be slow to fail, so it is not
	// waited for until it is complete.
	is := func(condition string) bool {
		ok, err := chromedp.Run(browser, chromedp.Evaluate[bool](condition))
		return err == nil && ok
	}
	see := func(what, condition string) {
		t.Helper()
		redistest.Eventually(t, time.Minute, what, func() bool { return is(condition) })
	}
	const link = `document.querySelector('a[href^="/monitoring/queues/orders"]')`
	is(fmt.Sprintf("location.href = %q, true", s.url+"/monitoring"))
	see("the link to the queue", link+" !== null")
	is(link + ".click(), true")
	const queuePage = `location.pathname === "/monitoring/queues/orders" && document.body.innerText.includes("Pending 1")`
	see("the queue and its job", queuePage)
	is("window.old = true")
	is("location.reload(), true")
	see("the same after a reload", "window.old === undefined && "+queuePage)
}
