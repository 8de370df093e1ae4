package client_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/web/browsertest"
)

// One browser is enough for all tests in one.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	browser := browsertest.Start(t)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *browsertest.Browser)
	}{
		{"the suite", testSuite},
		{"a reload", testReload},
		{"the page of the README", testReadme},
		{"the page of the module's README", testShortPage},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, browser)
		})
	}
}

func testSuite(t *testing.T, browser *browsertest.Browser) {
	const suite = `<!doctype html><meta charset="utf-8"><script type="module">
const uncaught = [];
addEventListener("error", (event) => uncaught.push(event.error));
addEventListener("unhandledrejection", (event) => uncaught.push(event.reason));
try {
	const { run } = await import("/client/testdata/suite.js");
	await import("/client/testdata/page.js");
	const results = await run({ origin: location.origin });
	const unexpected = uncaught.filter((error) => error?.message !== "thrown by a listener");
	results.push({ name: "nothing is thrown that nobody catches", error: unexpected.map(String).join("\n") });
	window.results = results;
} catch (error) {
	window.results = [{ name: "the suite begins", error: error.stack }];
}
</script>`
	page := browser.Open(t, newScript(t, map[string]string{"/{$}": suite}).URL)
	page.See("the suite to end", "window.results !== undefined")
	report(t, browsertest.Value[[]result](page, "results"))
}

// A page that keeps what it makes of messages, and where it is, goes on after a
// reload as if there had been none.
func testReload(t *testing.T, browser *browsertest.Browser) {
	s := newScript(t, map[string]string{"/{$}": `<!doctype html><meta charset="utf-8"><body><script type="module">
import { connect } from "/queuerun.js";
const show = () => document.body.textContent = sessionStorage.messages ?? "";
const client = connect("/socket", { storage: sessionStorage });
client.addEventListener("message", ({ data }) => {
	sessionStorage.messages = (sessionStorage.messages ?? "") + data;
	show();
});
show();
</script>`})
	page := browser.Open(t, s.URL)
	first, err := s.accept("/socket")
	if err != nil {
		t.Fatal(err)
	}
	s.expect(first, `{"connect":{}}`)
	s.tell(first,
		`{"connected":{"connection":"c1","user":"ada","at":{"":"u0","#room":"r0"},"heartbeat":25000,"timeout":10000}}`,
		`{"at":"u1","text":"a"}`, `{"on":"#room","at":"r1","text":"b"}`, `{"text":"c"}`)
	page.See("the messages", `document.body.textContent === "abc"`)

	page.Do(chromedp.Reload())
	second, err := s.accept("/socket")
	if err != nil {
		t.Fatal(err)
	}
	s.expect(second, `{"connect":{"at":{"":"u1","#room":"r1"}}}`)
	s.tell(second,
		`{"connected":{"connection":"c2","user":"ada","at":{"":"u1","#room":"r1"},"recovered":true}}`,
		`{"at":"u2","text":"d"}`)
	page.See("what was missed", `document.body.textContent === "abcd"`)
}

// The README shows a page; whoever copies it should have one that works.
func testReadme(t *testing.T, browser *browsertest.Browser) {
	s := newScript(t, map[string]string{
		"/{$}":    pageOf(t, "README.md"),
		"/token":  "secret",
		"/orders": `[{"id":"o1","status":"shipped"}]`,
	})
	page := browser.Open(t, s.URL)
	c, err := s.accept("/socket")
	if err != nil {
		t.Fatal(err)
	}
	s.expect(c, `{"connect":{},"data":{"token":"secret"}}`)
	s.tell(c, `{"connected":{"connection":"c1","user":"ada","at":{"":"u0"}}}`)
	page.See("the orders", `document.getElementById("orders").innerText === "o1: shipped"`)
	page.See("that it is online", `document.getElementById("state").innerText === "online"`)

	page.Do(chromedp.Click(chromedp.CSS("#order")))
	s.expect(c, `{"id":1,"data":{"item":"tea"}}`)
	s.tell(c, `{"at":"u1","data":{"id":"o2","status":"preparing"}}`, `{"id":1,"data":{"id":"o2"}}`, `{"at":"u2","data":{"id":"o2","status":"shipped"}}`)
	page.See("the answer", `document.getElementById("answer").innerText === "It is order o2."`)
	page.See("the last step only", `document.getElementById("orders").innerText === "o1: shipped\no2: shipped"`)
	page.Do(chromedp.Click(chromedp.CSS("#order")))
	s.expect(c, `{"id":2,"data":{"item":"tea"}}`)
	s.tell(c, `{"id":2,"error":"out of tea"}`)
	page.See("the error", `document.getElementById("answer").innerText === "out of tea"`)

	// The server is gone for longer than it remembers.
	if err := c.ws.UnderlyingConn().Close(); err != nil {
		t.Fatal(err)
	}
	again, err := s.accept("/socket")
	if err != nil {
		t.Fatal(err)
	}
	s.expect(again, `{"connect":{"at":{"":"u2"}},"data":{"token":"secret"}}`)
	s.tell(again, `{"connected":{"connection":"c2","user":"ada","at":{"":"u9"},"recovered":false,"lost":[""]}}`)
	page.See("the orders anew", `document.getElementById("orders").innerText === "o1: shipped"`)
}

func testShortPage(t *testing.T, browser *browsertest.Browser) {
	s := newScript(t, map[string]string{"/{$}": "<!doctype html>" + pageOf(t, "../../README.md")})
	page := browser.Open(t, s.URL)
	first, err := s.accept("/socket") // without a token
	if err != nil {
		t.Fatal(err)
	}
	s.expect(first, `{"connect":{},"data":{"token":null}}`)
	page.Eval(`localStorage.setItem("token", "secret")`)
	page.Do(chromedp.Reload())
	c, err := s.accept("/socket")
	if err != nil {
		t.Fatal(err)
	}
	s.expect(c, `{"connect":{},"data":{"token":"secret"}}`)
	s.tell(c, `{"connected":{"connection":"c1","user":"ada","at":{"":"u0"}}}`, `{"at":"u1","data":{"ID":"o1","Status":"shipped"}}`)
	page.See("the message", `document.querySelector("ul").innerText === "o1 is shipped."`)
	page.See("that it is online", `document.getElementById("state").innerText === "online"`)

	page.Eval(`window.alert = (text) => window.alerted = text; crypto.randomUUID = () => "o2"`)
	page.Do(chromedp.Click(chromedp.CSS("button")))
	s.expect(c, `{"id":1,"data":{"id":"o2"}}`)
	s.tell(c, `{"id":1,"error":"out of tea"}`)
	page.See("the error", `window.alerted === "out of tea"`)

	s.tell(c, `{"missed":"","at":"u9"}`)
	page.See("a fresh page", `window.alerted === undefined`)
}

// pageOf returns the page that a README shows.
func pageOf(t *testing.T, readme string) string {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```html\n(.*?)```").FindSubmatch(text)
	if example == nil {
		t.Fatalf("there is no page in %s", readme)
	}
	return string(example[1])
}
