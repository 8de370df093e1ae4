package main

import (
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web/browsertest"
)

func TestBrowserOneProcess(t *testing.T) {
	browser := browsertest.Start(t)
	app := start(t, "")
	pages := useTheRoom(t, func(name string) *tab { return openTab(t, browser, app.url, name) })
	// The schedule ticks at the next full minute.
	redistest.Eventually(t, 75*time.Second, "a tick", func() bool {
		return pages[0].Is(`document.querySelector("#tick time") !== null`)
	})
	// The next program has an empty Redis: what the old one knew goes from the
	// pages too, and they take part in the new room.
	app.stop()
	at, err := url.Parse(app.url)
	if err != nil {
		t.Fatal(err)
	}
	startWith(t, times{}, at.Port(), "")
	for _, p := range pages {
		p.seeMembers("Ada")
		p.See("an empty room", `document.getElementById("entries").textContent.startsWith("You came in") && document.querySelector("#entries .line, #orders > li") === null`)
		p.check()
	}
}

func TestBrowserSeveralProcesses(t *testing.T) {
	browser := browsertest.Start(t)
	redisURL := "redis://" + redistest.Real(t).Addr
	web := start(t, redisURL, "web")
	sockets := []*program{start(t, redisURL, "socket"), start(t, redisURL, "socket")}
	start(t, redisURL, "worker")
	start(t, redisURL, "scheduler")
	front := newBalancer(t, web, sockets...)

	opened := 0
	pages := useTheRoom(t, func(name string) *tab {
		p := openTab(t, browser, front.URL, name)
		opened++
		// In turn: a user's two pages are on different servers.
		if a, b := front.sockets[0].accepted.Load(), front.sockets[1].accepted.Load(); a != int64(opened/2) || b != int64((opened+1)/2) {
			t.Fatalf("after page %d the servers have %d and %d connections", opened, a, b)
		}
		return p
	})

	// A server stops, and its page goes on with the other one.
	sockets[0].stop()
	for _, p := range pages {
		p.See("to be online again", `document.getElementById("connection").dataset.state === "online" && document.getElementById("trouble").hidden`)
	}
	pages[0].say("one server less")
	for _, p := range pages {
		p.seeLine("You", "one server less")
		p.check()
	}
}

// useTheRoom does what two people do with two pages each, and returns the pages
// of the one who is still there.
func useTheRoom(t *testing.T, open func(name string) *tab) []*tab {
	ada := []*tab{open("Ada"), open("Ada")}
	bob := []*tab{open("Bob"), open("Bob")}
	all := append(append([]*tab{}, ada...), bob...)
	for _, p := range all {
		p.seeMembers("Ada", "Bob")
	}
	chat(ada, bob)
	orderSomething(t, ada, bob)

	// A reload keeps the name, and shows what was.
	ada[1].Do(chromedp.Reload())
	ada[1].Eval(watch)
	ada[1].seeLine("Bob", "Hello Ada")
	ada[1].seeMembers("Ada", "Bob")
	ada[1].See("the order", `document.querySelector("#orders > li")?.dataset.step === "shipped"`)

	// One page less is not gone, two are.
	bob[0].leave()
	bob[1].say("one page less")
	for _, p := range ada {
		p.seeLine("Bob", "one page less")
		p.seeMembers("Ada", "Bob")
	}
	bob[1].leave()
	for _, p := range ada {
		p.seeMembers("Ada")
		p.See("that Bob left", `document.getElementById("entries").lastElementChild.textContent.startsWith("Bob left")`)
	}
	return ada
}

func chat(ada, bob []*tab) {
	ada[0].t.Helper()
	const html = `<img src=x onerror="document.title='owned'"><b>bold</b>`
	ada[0].say(html)
	for _, p := range ada {
		p.seeLine("You", html)
	}
	bob[1].say("Hello Ada")
	for _, p := range bob {
		p.seeLine("Ada", html)
		p.seeLine("You", "Hello Ada")
		if !p.Is(`document.querySelector("#entries img, #entries .text b") === null && document.title === "queuerun demo"`) {
			p.t.Error("a message was taken for HTML")
		}
	}
	for _, p := range ada {
		p.seeLine("Bob", "Hello Ada")
	}
	// What the page itself would not let through is refused by the server.
	ada[0].Eval(`document.getElementById("text").value = "x".repeat(501); document.getElementById("say").requestSubmit()`)
	ada[0].See("the error", `document.querySelector("#pending .refused .note")?.textContent.startsWith("Not sent. A message has at most 500 characters, this one has 501.")`)
	ada[0].Do(chromedp.Click(chromedp.CSS("#pending button:last-child")))
	ada[0].See("nothing of it", `document.getElementById("pending").childElementCount === 0`)
}

func orderSomething(t *testing.T, ada, bob []*tab) {
	t.Helper()
	ada[1].Do(chromedp.Click(chromedp.CSS("#order button")))
	for _, p := range ada {
		p.See("each step of the order, live", `["preparing", "packaging", "shipped"].every((step) => steps.includes(step))`)
		p.See("when each step was", `document.querySelectorAll("#orders > li .track time").length === 3`)
	}
	// What was sent to Bob before has arrived when this has.
	ada[0].say("Ordered")
	for _, p := range bob {
		p.seeLine("Ada", "Ordered")
		if !p.Is(`document.querySelector("#orders > li") === null`) {
			t.Error("Bob sees the order of Ada")
		}
	}
}
