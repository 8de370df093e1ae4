package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/web/browsertest"
)

// tab is a page of the browser with the demo in it.
type tab struct {
	*browsertest.Page
	t    *testing.T
	name string
}

// watch collects what would go unnoticed: errors of scripts, what the security
// policy blocked, the frames that were sent, and each step an order was seen at.
const watch = `(() => {
	window.wrong = [];
	addEventListener("error", (e) => wrong.push(String(e.message)));
	addEventListener("unhandledrejection", (e) => wrong.push(String(e.reason)));
	addEventListener("securitypolicyviolation", (e) => wrong.push(e.violatedDirective + " " + e.blockedURI));
	window.sent = [];
	const send = WebSocket.prototype.send;
	WebSocket.prototype.send = function (frame) {
		sent.push(frame);
		return send.call(this, frame);
	};
	window.steps = [];
	new MutationObserver(() => {
		const step = document.querySelector("#orders > li")?.dataset.step;
		if (step && steps.at(-1) !== step) steps.push(step);
	}).observe(document.getElementById("orders"), { subtree: true, childList: true, attributes: true });
})()`

// openTab opens the page and signs in.
func openTab(t *testing.T, browser *browsertest.Browser, url, name string) *tab {
	t.Helper()
	p := &tab{browser.Open(t, url), t, name}
	p.Eval(watch)
	p.Do(chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.Click(chromedp.CSS("#sign-in-form button")))
	p.See("to be online", `document.getElementById("connection").dataset.state === "online"`)
	return p
}

// seeMembers waits until exactly these are shown as being here, in any order.
func (p *tab) seeMembers(names ...string) {
	p.t.Helper()
	p.See(fmt.Sprintf("the members %q", names), fmt.Sprintf(
		`JSON.stringify([...document.querySelectorAll("#members li")].map((li) => li.dataset.name).sort()) === JSON.stringify(%s)`, browsertest.JS(names)))
}

// seeLine waits until the chat has exactly one line with this text, by author.
func (p *tab) seeLine(author, text string) {
	p.t.Helper()
	p.See(fmt.Sprintf("%s's line %q", author, text), fmt.Sprintf(`(() => {
		const lines = [...document.querySelectorAll("#entries .line")];
		const found = lines.filter((li) => li.querySelector(".text").textContent === %s);
		return found.length === 1 && found[0].querySelector("b").textContent === %s;
	})()`, browsertest.JS(text), browsertest.JS(author)))
}

// say sends a line to the room.
func (p *tab) say(text string) {
	p.t.Helper()
	p.Do(chromedp.SendKeys(chromedp.CSS("#text"), text), chromedp.Click(chromedp.CSS("#say button")))
}

// seeLines waits until the chat has exactly these lines, in this order, and
// nothing that is not sent.
func (p *tab) seeLines(lines ...string) {
	p.t.Helper()
	p.See(fmt.Sprintf("the lines %q", lines), fmt.Sprintf(
		`document.getElementById("pending").childElementCount === 0 && JSON.stringify(%s) === JSON.stringify(%s)`, shownLines, browsertest.JS(lines)))
}

const shownLines = `[...document.querySelectorAll("#entries .line .text")].map((e) => e.textContent)`

// enters returns how often the page has asked for the room.
func (p *tab) enters() int {
	p.t.Helper()
	return browsertest.Value[int](p.Page, `sent.filter((frame) => JSON.parse(frame).data?.type === "enter").length`)
}

// chatter has the page say so many lines, one each pause, numbered after the
// user's name. It does not wait for them.
func (p *tab) chatter(n int, pause time.Duration) {
	p.t.Helper()
	p.Eval(fmt.Sprintf(`(() => {
		let i = 0;
		const timer = setInterval(() => {
			document.getElementById("text").value = %s + " " + i++;
			document.getElementById("say").requestSubmit();
			if (i === %d) clearInterval(timer);
		}, %d);
	})()`, browsertest.JS(p.name), n, pause.Milliseconds()))
}

// leave closes the page, after checking that nothing went wrong in it.
func (p *tab) leave() {
	p.t.Helper()
	p.check()
	p.Close()
}

func (p *tab) check() {
	p.t.Helper()
	for _, w := range browsertest.Value[[]string](p.Page, "wrong") {
		p.t.Errorf("in the page: %s", w)
	}
}
