package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/web/browsertest"
	"github.com/redis/go-redis/v9"
)

// A page whose server is killed goes on with another one as if nothing had been:
// it keeps what it shows, misses nothing, shows nothing twice, and nobody sees its
// user leave.
func TestBrowserServerKilled(t *testing.T) {
	browser := browsertest.Start(t)
	server := redistest.Real(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { rdb.Close() })
	short := times{Lease: 2 * time.Second, OfflineAfter: 2 * time.Second}
	stays := startWith(t, short, "0", "redis://"+server.Addr)
	killed := startWith(t, short, "0", "redis://"+server.Addr, "socket")

	front := newBalancer(t, stays, stays, killed) // begins with the second one
	ada := openTab(t, browser, front.URL, "Ada")
	bob := openTab(t, browser, stays.url, "Bob")
	if n := front.sockets[1].accepted.Load(); n != 1 {
		t.Fatalf("the server to be killed has accepted %d connections", n)
	}
	pages := []*tab{ada, bob}
	connectPlain(t, killed, "Carol") // who does not come back
	for _, p := range pages {
		p.seeMembers("Ada", "Bob", "Carol")
	}
	// What only this page knows.
	ada.Eval(`document.getElementById("item").value = "Wool blanket"; window.kept = true`)

	const lines = 40
	for _, p := range pages {
		p.chatter(lines, 40*time.Millisecond)
	}
	ada.See("some lines of both", shownLines+`.length > 20`)
	killed.kill()
	for _, p := range pages {
		p.See("all lines", fmt.Sprintf(`%s.length >= %d`, shownLines, 2*lines))
		p.seeMembers("Ada", "Bob") // the servers' users were declared gone
	}
	ada.See("to be online", `document.getElementById("connection").dataset.state === "online" && document.getElementById("trouble").hidden`)

	log := roomLog(t, rdb)
	said, moves := texts(log), movesOf(log)
	for _, name := range []string{"Ada", "Bob"} {
		if got := slices.DeleteFunc(slices.Clone(said), func(text string) bool { return !strings.HasPrefix(text, name) }); !slices.Equal(got, numbered(name, lines)) {
			t.Errorf("%s said %q", name, got)
		}
	}
	if !slices.Equal(moves, []string{"joined Ada", "joined Bob", "joined Carol", "left Carol"}) {
		t.Errorf("the moves are %q", moves)
	}
	for _, p := range pages {
		p.seeLines(said...)
		if n := browsertest.Value[int](p.Page, `document.querySelectorAll("#entries .event").length`); n != 4 {
			t.Errorf("a page shows %d moves", n)
		}
		if n := p.enters(); n != 1 {
			t.Errorf("a page asked for the room %d times", n)
		}
		p.check()
	}
	if !ada.Is(`window.kept && document.getElementById("item").value === "Wool blanket"`) {
		t.Error("the page has forgotten something")
	}
}

// connectPlain opens a connection that does not come back.
func connectPlain(t *testing.T, p *program, name string) {
	t.Helper()
	c, _, err := websocket.DefaultDialer.DialContext(t.Context(), strings.Replace(p.url, "http", "ws", 1)+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.WriteJSON(map[string]string{"name": name}); err != nil {
		t.Fatal(err)
	}
}

func roomLog(t *testing.T, rdb *redis.Client) []entry {
	t.Helper()
	log, err := rdb.XRange(t.Context(), logKey, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	var entries []entry
	for _, m := range log {
		entries = append(entries, readEntry(m))
	}
	return entries
}

// texts returns what was said.
func texts(log []entry) (all []string) {
	for _, e := range log {
		if e.Type == "chat" {
			all = append(all, e.Text)
		}
	}
	return all
}

// movesOf returns who came and left.
func movesOf(log []entry) []string {
	return slices.DeleteFunc(lines(log), func(line string) bool { return strings.HasPrefix(line, "chat ") })
}

// numbered returns what a page that chatters says.
func numbered(name string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s %d", name, i))
	}
	return all
}
