package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/web/browsertest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPages(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<title>%s</title><button onclick="setTimeout(() => document.title = 'clicked')">`, r.URL.Path)
	}))
	t.Cleanup(site.Close)
	browser := browsertest.Start(t)
	one, two := browser.Open(t, site.URL+"/one"), browser.Open(t, site.URL+"/two")

	one.Do(chromedp.Click(chromedp.CSS("button")))
	one.See("the click", `document.title === "clicked"`)
	if got := browsertest.Value[string](two, "document.title"); got != "/two" {
		t.Errorf("the other page has the title %q", got)
	}
	const odd = "</title> \"\u2028'"
	two.Eval("document.title = " + browsertest.JS(odd))
	if !two.Is("document.title === " + browsertest.JS(odd)) {
		t.Errorf("the title is %q", browsertest.Value[string](two, "document.title"))
	}

	// A page may go elsewhere while it is waited for.
	two.Eval(`setTimeout(() => location.href = "/three")`)
	two.See("the next page", `document.title === "/three"`)
	two.Close()
}

func TestNoOtherHostIsReached(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	t.Cleanup(site.Close)
	page := browsertest.Start(t).Open(t, site.URL)
	// A browser knows where this is without asking anybody.
	other := strings.Replace(site.URL, "127.0.0.1", "other.localhost", 1)
	page.Eval(fmt.Sprintf(`fetch(%s, {mode: "no-cors"}).then(() => "reached", () => "failed").then((how) => document.title = how)`, browsertest.JS(other)))
	page.See("the request to end", `document.title !== ""`)
	if got := browsertest.Value[string](page, "document.title"); got != "failed" {
		t.Errorf("another host is %s", got)
	}
}

func TestOffline(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	t.Cleanup(site.Close)
	browser := browsertest.Start(t)
	one, two := browser.Open(t, site.URL), browser.Open(t, site.URL)
	for _, p := range []*browsertest.Page{one, two} {
		p.Eval(`window.seen = []; for (const type of ["online", "offline"]) addEventListener(type, () => seen.push(type))`)
	}
	ask := func(p *browsertest.Page, want string) {
		t.Helper()
		p.Eval(`document.title = ""; fetch(location.href).then(() => "reached", () => "failed").then((how) => document.title = how)`)
		p.See("the request to end", `document.title !== ""`)
		if got := browsertest.Value[string](p, "document.title"); got != want {
			t.Errorf("the request has %s, want %s", got, want)
		}
	}
	one.Offline(true)
	one.See("that it is offline", `!navigator.onLine && seen.join() === "offline"`)
	ask(one, "failed")
	ask(two, "reached")
	one.Offline(false)
	one.See("that it is online", `navigator.onLine && seen.join() === "offline,online"`)
	ask(one, "reached")
	if !two.Is(`seen.length === 0`) {
		t.Error("the other page saw something of it")
	}
}
