package main

import (
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/socket"
	"github.com/queuerun/queuerun/web/browsertest"
	"github.com/redis/go-redis/v9"
)

// A page whose network is away for a moment says so, keeps what its user says,
// and goes on where it was; one that was away for too long says that too.
func TestBrowserWithoutNetwork(t *testing.T) {
	o := newOutage(t, times{PingInterval: 500 * time.Millisecond, PongTimeout: time.Second, OfflineAfter: time.Minute})
	var said []string
	for _, how := range o.ways() {
		said = append(said, o.without(how, 0)...)
		for _, p := range o.pages() {
			p.seeLines(said...)
		}
	}
	if n := o.ada.enters(); n != 1 {
		t.Errorf("the page asked for the room %d times", n)
	}
	if moves := movesOf(roomLog(t, o.rdb)); !slices.Equal(moves, []string{"joined Ada", "joined Bob"}) {
		t.Errorf("the moves are %q", moves)
	}
	o.tooLong()
}

// outage is a room with two people of whom one may lose the network.
type outage struct {
	t        *testing.T
	rdb      *redis.Client
	front    *balancer // of Ada's network
	ada, bob *tab
}

func newOutage(t *testing.T, d times) *outage {
	t.Helper()
	browser := browsertest.Start(t)
	server := redistest.Real(t)
	o := &outage{t: t, rdb: redis.NewClient(&redis.Options{Addr: server.Addr})}
	t.Cleanup(func() { o.rdb.Close() })
	app := startWith(t, d, "0", "redis://"+server.Addr)
	o.front = newBalancer(t, app, app)
	o.ada = openTab(t, browser, o.front.URL, "Ada")
	o.ada.seeMembers("Ada") // comes first
	o.bob = openTab(t, browser, app.url, "Bob")
	for _, p := range o.pages() {
		p.seeMembers("Ada", "Bob")
	}
	return o
}

func (o *outage) pages() []*tab { return []*tab{o.ada, o.bob} }

// way is a way to lose the network, and what the page says then.
type way struct {
	name, says string
	cut, mend  func()
	heard      bool // what she says meanwhile arrives
}

func (o *outage) ways() []way {
	return []way{
		{"the browser knows", "This device is offline.", func() { o.ada.Offline(true) }, func() { o.ada.Offline(false) }, false},
		{"packets vanish", "The connection was lost.", o.front.wire.cut, o.front.wire.mend, false},
		{"answers vanish", "The connection was lost.", o.front.wire.cutAnswers, o.front.wire.mend, true},
	}
}

// without takes Ada's network away for so long, at least until her page says so.
// Both go on to talk. It returns what they have said when the page is online again.
func (o *outage) without(how way, long time.Duration) []string {
	o.t.Helper()
	o.t.Log(how.name)
	ada, bob := o.ada, o.bob
	line := func(text string) string { return how.name + ": " + text }
	ada.say(line("before"))
	bob.seeLine("Ada", line("before"))

	began := time.Now()
	how.cut()
	ada.say(line("into the void")) // perhaps before the page knows
	if how.heard {
		bob.seeLine("Ada", line("into the void"))
	}
	bob.say(line("she does not hear me"))
	bob.seeLine("You", line("she does not hear me"))
	ada.See("what is wrong", fmt.Sprintf(`!document.getElementById("trouble").hidden && document.getElementById("trouble-meaning").textContent === %s
		&& document.getElementById("connection").dataset.state !== "online"`, browsertest.JS(how.says)))
	ada.say(line("one more"))
	ada.See("that her lines wait", `document.querySelectorAll("#pending .mine").length === 2
		&& document.getElementById("pending").lastElementChild.textContent.includes("Waits for the connection")`)
	time.Sleep(long - time.Since(began))
	bob.say(line("nor this"))
	bob.seeLine("You", line("nor this"))
	if ada.Is(shownLines + `.includes(` + browsertest.JS(line("nor this")) + `)`) {
		o.t.Error("the network was not away")
	}
	how.mend()
	ada.See("to be online", `document.getElementById("connection").dataset.state === "online" && document.getElementById("trouble").hidden`)
	said := []string{"before", "she does not hear me", "nor this", "into the void", "one more"}
	if how.heard {
		said = []string{"before", "into the void", "she does not hear me", "nor this", "one more"}
	}
	for i := range said {
		said[i] = line(said[i])
	}
	return said
}

// tooLong has the room say more than is retained while Ada is away.
func (o *outage) tooLong() {
	o.t.Helper()
	o.front.wire.cut()
	ctx := socket.NewSender(o.rdb).Context(o.t.Context())
	var last []string
	for i := range socket.DefaultRetainMessages + logLength {
		e, err := recordChat(ctx, o.rdb, "Bob", line{rand.Text(), fmt.Sprint("too much ", i)})
		if err == nil {
			err = announce(ctx, e)
		}
		if err != nil {
			o.t.Fatal(err)
		}
		last = append(last, e.Text)
	}
	o.ada.See("that it is offline", `document.getElementById("connection").dataset.state !== "online"`)
	o.ada.say("Am I late?")
	o.front.wire.mend()
	last = append(last[len(last)-logLength+1:], "Am I late?")
	o.ada.seeLines(last...)
	o.ada.See("that some are missing", `!document.getElementById("chat-missed").hidden`)
	o.ada.seeMembers("Ada", "Bob")
	if n := o.ada.enters(); n != 2 {
		o.t.Errorf("the page asked for the room %d times", n)
	}
	// Bob, who was there, has the same and what came before.
	o.bob.seeLine("Ada", "Am I late?")
	if !o.bob.Is(`document.getElementById("chat-missed").hidden`) {
		o.t.Error("the other page says that it misses something")
	}
	for _, p := range o.pages() {
		p.check()
	}
}
