package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/web"
	"github.com/queuerun/queuerun/web/browsertest"
)

// A page of another site whose name means this machine is of the same origin as the
// server, and can read what it is answered; but not from a server that knows its names.
func testRebound(t *testing.T, browser *browsertest.Browser) {
	secret := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "a secret at ", r.URL.Path)
	})
	page := browser.Open(t, "about:blank")
	for name, test := range map[string]struct {
		hosts  []string
		status int
	}{"any name": {nil, 200}, "its own names": {[]string{"localhost"}, 403}} {
		s := start(t, t.Context(), &web.Server{Hosts: test.hosts, App: secret, Dashboard: secret, Metrics: secret, Socket: secret})
		page.Do(chromedp.Navigate(strings.Replace(s.url, "127.0.0.1", browsertest.Rebound, 1)))
		page.See("an answer", `document.body.innerText !== ""`)
		for _, path := range []string{"/", "/socket", "/monitoring", "/metrics"} {
			page.Eval(`window.got = undefined; fetch(` + browsertest.JS(path) + `).then(async (r) => window.got = {status: r.status, text: await r.text()})`)
			page.See("what it is answered", "window.got !== undefined")
			status, text := browsertest.Value[int](page, "window.got.status"), browsertest.Value[string](page, "window.got.text")
			if status != test.status || strings.Contains(text, "a secret") != (status == 200) {
				t.Errorf("%s: %s: the page reads %d %q", name, path, status, text)
			}
		}
	}
}
