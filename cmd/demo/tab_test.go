package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// patience is how long a page may take to show what it should.
const patience = 30 * time.Second

// newBrowser starts a headless Chromium and returns its context. Without one on
// the PATH the test is skipped, or fails when REQUIRE_REAL=1 is set.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox,
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute),
		chromedp.WindowSize(1280, 860),
	)
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
		end()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("start the browser: ", err)
	}
	return ctx
}

func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome", "chrome-headless-shell"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("REQUIRE_REAL") == "1" {
		t.Fatal("REQUIRE_REAL=1 is set, and no Chromium is on the PATH")
	}
	t.Skip("no Chromium is on the PATH")
	return ""
}

// tab is a page of the browser.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// watch collects what would go unnoticed: errors of scripts, what the security
// policy blocked, and each step an order was seen at.
const watch = `(() => {
	window.wrong = [];
	addEventListener("error", (e) => wrong.push(String(e.message)));
	addEventListener("unhandledrejection", (e) => wrong.push(String(e.reason)));
	addEventListener("securitypolicyviolation", (e) => wrong.push(e.violatedDirective + " " + e.blockedURI));
	window.steps = [];
	new MutationObserver(() => {
		const step = document.querySelector("#orders > li")?.dataset.step;
		if (step && steps.at(-1) !== step) steps.push(step);
	}).observe(document.getElementById("orders"), { subtree: true, childList: true, attributes: true });
})()`

// openTab opens the page and signs in.
func openTab(t *testing.T, browser context.Context, url, name string) *tab {
	t.Helper()
	ctx, _ := chromedp.NewContext(browser)
	p := &tab{t, ctx}
	// The first use of the context opens the tab, which lives as long as that
	// use's context: it must not be one with a deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("open a page: ", err)
	}
	t.Cleanup(func() {
		if t.Failed() && p.ctx.Err() == nil {
			text, _ := run(p, chromedp.Evaluate[string]("document.body.innerText"))
			t.Logf("%s sees: %s", name, text)
		}
	})
	p.do(chromedp.Navigate(url))
	p.eval(watch)
	p.do(chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.Click(chromedp.CSS("#sign-in-form button")))
	p.see("to be online", `document.getElementById("connection").dataset.state === "online"`)
	return p
}

// do runs the steps in the page.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if _, err := run(p, chromedp.Steps(steps...)); err != nil {
		p.t.Fatal(err)
	}
}

// eval runs a script in the page.
func (p *tab) eval(script string) {
	p.t.Helper()
	if _, err := run(p, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		p.t.Fatalf("%s: %v", script, err)
	}
}

// is returns the value of a JavaScript condition now.
func (p *tab) is(condition string) bool {
	p.t.Helper()
	ok, err := run(p, chromedp.Evaluate[bool](condition))
	if err != nil {
		p.t.Fatalf("%s: %v", condition, err)
	}
	return ok
}

// run runs an action with a deadline of its own, so that one that hangs tells
// where it does.
func run[T any](p *tab, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// see waits until a JavaScript condition is true.
func (p *tab) see(what, condition string) {
	p.t.Helper()
	redistest.Eventually(p.t, patience, what, func() bool { return p.is(condition) })
}

// seeMembers waits until exactly these are shown as being here, in any order.
func (p *tab) seeMembers(names ...string) {
	p.t.Helper()
	p.see(fmt.Sprintf("the members %q", names), fmt.Sprintf(
		`JSON.stringify([...document.querySelectorAll("#members li")].map((li) => li.dataset.name).sort()) === JSON.stringify(%s)`, js(names)))
}

// seeLine waits until the chat has exactly one line with this text, by author.
func (p *tab) seeLine(author, text string) {
	p.t.Helper()
	p.see(fmt.Sprintf("%s's line %q", author, text), fmt.Sprintf(`(() => {
		const lines = [...document.querySelectorAll("#entries .line")];
		const found = lines.filter((li) => li.querySelector(".text").textContent === %s);
		return found.length === 1 && found[0].querySelector("b").textContent === %s;
	})()`, js(text), js(author)))
}

// say sends a line to the room.
func (p *tab) say(text string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS("#text"), text), chromedp.Click(chromedp.CSS("#say button")))
}

// close closes the page, after checking that nothing went wrong in it.
func (p *tab) close() {
	p.t.Helper()
	p.check()
	if err := chromedp.Cancel(p.ctx); err != nil {
		p.t.Fatal("close the page: ", err)
	}
}

func (p *tab) check() {
	p.t.Helper()
	wrong, err := run(p, chromedp.Evaluate[[]string]("wrong"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, w := range wrong {
		p.t.Errorf("in the page: %s", w)
	}
}
