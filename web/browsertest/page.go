package browsertest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// Patience is how long a page may take to show what it should, and an action in
// it to end.
const Patience = 30 * time.Second

// Page is a page of a browser, used by one goroutine.
type Page struct {
	t     testing.TB
	ctx   context.Context
	close func() error
}

// Open opens a page, which is closed with the test. If the test fails, what the
// page shows is logged.
func (b *Browser) Open(t testing.TB, url string) *Page {
	t.Helper()
	ctx, _ := chromedp.NewContext(b.ctx)
	p := &Page{t: t, ctx: ctx, close: sync.OnceValue(func() error { return chromedp.Cancel(ctx) })}
	// The first use of the context opens the page, which lives as long as that
	// use's context: it must not be one with a deadline.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal("open a page: ", err)
	}
	t.Cleanup(func() {
		if t.Failed() && ctx.Err() == nil {
			text, _ := run(p, chromedp.Evaluate[string](`location.href + ": " + document.body.innerText`))
			t.Log("the page shows ", text)
		}
		p.Close()
	})
	p.Do(chromedp.Navigate(url))
	return p
}

// Close closes the page, once.
func (p *Page) Close() {
	p.t.Helper()
	if err := p.close(); err != nil {
		p.t.Errorf("close the page: %v", err)
	}
}

// Do takes the steps in the page.
func (p *Page) Do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if _, err := run(p, chromedp.Steps(steps...)); err != nil {
		p.t.Fatal(err)
	}
}

// Eval runs a script in the page.
func (p *Page) Eval(script string) {
	p.t.Helper()
	Value[chromedp.Void](p, script)
}

// Value returns the value of a JavaScript expression in the page.
func Value[T any](p *Page, expression string) T {
	p.t.Helper()
	value, err := run(p, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// Is returns the value of a JavaScript condition now.
func (p *Page) Is(condition string) bool {
	p.t.Helper()
	return Value[bool](p, condition)
}

// See waits until a JavaScript condition is true; what completes the sentence
// "timed out waiting for ...". The page may be on its way to another one.
func (p *Page) See(what, condition string) {
	p.t.Helper()
	var err error
	defer func() {
		if err != nil {
			p.t.Logf("%s: %v", condition, err)
		}
	}()
	redistest.Eventually(p.t, Patience, what, func() bool {
		var ok bool
		ok, err = run(p, chromedp.Evaluate[bool](condition))
		return ok
	})
}

// run runs an action with a deadline of its own, so that one that hangs tells
// where it does.
func run[T any](p *Page, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, Patience)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// JS returns a value as JavaScript writes it.
func JS(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
