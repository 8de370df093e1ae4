//go:build slow

package main

import (
	"slices"
	"testing"
	"time"
)

// Half a minute is longer than the grace: others see the user leave and come
// back, and the page asks for the room anew. Nothing is lost all the same.
func TestBrowserWithoutNetworkForHalfAMinute(t *testing.T) {
	o := newOutage(t, times{PingInterval: 5 * time.Second, PongTimeout: 3 * time.Second})
	var said []string
	moves := []string{"joined Ada", "joined Bob"}
	for i, how := range o.ways()[:2] {
		said = append(said, o.without(how, 30*time.Second)...)
		moves = append(moves, "left Ada", "joined Ada")
		for _, p := range o.pages() {
			p.seeLines(said...)
			p.seeMembers("Ada", "Bob")
			p.See("all moves", `document.querySelectorAll("#entries .event").length === `+[]string{"4", "6"}[i])
			p.check()
		}
		if n := o.ada.enters(); n != 2+i {
			t.Errorf("the page asked for the room %d times", n)
		}
	}
	if got := movesOf(roomLog(t, o.rdb)); !slices.Equal(got, moves) {
		t.Errorf("the moves are %q, want %q", got, moves)
	}
}
