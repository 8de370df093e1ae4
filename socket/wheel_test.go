package socket

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// newRim returns the wheel of a hub without anything else, that turns when it is
// told to. A tick is a second.
func newRim() *hub {
	h := &hub{config: config{auth: 10 * time.Second, ping: 25 * time.Second, pong: 10 * time.Second}}
	h.wheel = newWheel(h.config, time.Second)
	return h
}

// rim is a connection in the wheel, and the other end of it.
func (h *hub) rim(t *testing.T, user *User) *connection {
	c := newConnection(h)
	c.user = user
	server, client := net.Pipe()
	t.Cleanup(func() { server.Close(); client.Close() })
	c.conn, c.out.writing = server, true // nothing is written, all is to be seen
	h.wheel.add(c)
	return c
}

func (h *hub) tick() {
	for _, d := range h.wheel.turn() {
		d.do(d.c)
	}
}

// roll turns the wheel and carries out what is due. It returns how many pings
// and how many closes that were for c, and whether it was cut.
func (h *hub) roll(c *connection, ticks int) (pings, closes int, cut bool) {
	for range ticks {
		h.tick()
		for _, b := range c.out.frames {
			switch opcodeOf(b) {
			case websocket.PingMessage:
				pings++
			case websocket.CloseMessage:
				closes++
			}
		}
		c.out.drop()
	}
	return pings, closes, c.conn.SetDeadline(time.Time{}) != nil
}

func TestPingsAreSpreadOverTheInterval(t *testing.T) {
	h := newRim()
	var all []*connection
	for range 250 {
		all = append(all, h.rim(t, Anonymous))
	}
	for tick := range 25 {
		h.tick()
		pings := 0
		for _, c := range all {
			pings += len(c.out.frames)
		}
		if want := 10 * (tick + 1); pings != want {
			t.Errorf("%d connections were pinged after %d s, want %d", pings, tick+1, want)
		}
	}
}

func TestAConnectionIsPingedAsLongAsItIsHeard(t *testing.T) {
	h := newRim()
	c := h.rim(t, Anonymous)
	pings := 0
	for range 1000 {
		n, _, cut := h.roll(c, 1)
		pings += n
		if cut {
			t.Fatal("a connection that answers was cut")
		}
		if n > 0 {
			c.in.hear()
		}
	}
	if pings != 40 {
		t.Errorf("%d pings in 1000 s, want 40", pings)
	}
}

func TestASilentConnectionIsCutAfterItsTime(t *testing.T) {
	h := newRim()
	c := h.rim(t, Anonymous)
	for pings := 0; pings == 0; {
		pings, _, _ = h.roll(c, 1)
	}
	if _, _, cut := h.roll(c, 34); cut {
		t.Error("cut before its time to answer was over")
	}
	if _, _, cut := h.roll(c, 1); !cut {
		t.Error("not cut after its time to answer")
	}
}

func TestAConnectionThatTheServerDoesNotReadIsNotSilent(t *testing.T) {
	h := newRim()
	c := h.rim(t, Anonymous)
	c.waiting.Store(true) // for its handler
	if _, _, cut := h.roll(c, 200); cut {
		t.Error("cut while a handler ran")
	}
	c.waiting.Store(false)
	if _, _, cut := h.roll(c, 61); !cut {
		t.Error("not cut afterwards")
	}
}

func TestAuthenticationHasItsTimeAndThenPings(t *testing.T) {
	h := newRim()
	c := h.rim(t, nil)
	if pings, closes, cut := h.roll(c, 9); pings+closes > 0 || cut {
		t.Errorf("%d pings, %d closes, cut %v within the time to authenticate", pings, closes, cut)
	}
	h.wheel.accepted(c)
	if _, closes, _ := h.roll(c, 5); closes > 0 {
		t.Error("closed though it was accepted")
	}
	late := h.rim(t, nil)
	if _, closes, _ := h.roll(late, 10); closes != 1 {
		t.Errorf("%d closes after the time to authenticate, want 1", closes)
	}
}

func TestTheAnswerToACloseHasItsTime(t *testing.T) {
	h := newRim()
	c := h.rim(t, Anonymous)
	h.wheel.closing(c)
	if _, _, cut := h.roll(c, 4); cut {
		t.Error("cut before the time to answer was over")
	}
	if _, _, cut := h.roll(c, 1); !cut {
		t.Error("not cut after that")
	}
}

func TestAConnectionThatWasRemovedStaysOut(t *testing.T) {
	h := newRim()
	one, two, three := h.rim(t, nil), h.rim(t, nil), h.rim(t, nil) // in one slot
	h.wheel.remove(two)
	h.wheel.remove(two)
	h.wheel.closing(two)
	h.wheel.accepted(two)
	if all := h.connections(); len(all) != 2 || all[0] == two || all[1] == two {
		t.Errorf("%v are in the wheel, want %v and %v", all, one, three)
	}
	h.wheel.remove(one)
	h.wheel.remove(three)
	if all := h.connections(); len(all) != 0 {
		t.Errorf("%d are in the wheel, want none", len(all))
	}
}

func TestATickFollowsTheShortestLimit(t *testing.T) {
	for limits, want := range map[[3]time.Duration]time.Duration{
		{25 * time.Second, 10 * time.Second, 10 * time.Second}:      50 * time.Millisecond,
		{time.Second, 120 * time.Millisecond, 10 * time.Second}:     30 * time.Millisecond,
		{25 * time.Second, 10 * time.Second, 20 * time.Millisecond}: 5 * time.Millisecond,
		{25 * time.Second, time.Microsecond, 10 * time.Second}:      time.Millisecond,
	} {
		if got := (config{ping: limits[0], pong: limits[1], auth: limits[2]}).tick(); got != want {
			t.Errorf("limits %v: a tick of %v, want %v", limits, got, want)
		}
	}
}

// A pong cannot come in the middle of a frame, but every byte is a sign of life.
func TestAMessageMayTakeLongerThanAPong(t *testing.T) {
	t.Parallel()
	s := echoServer(t, &Server{PingInterval: 100 * time.Millisecond, PongTimeout: 500 * time.Millisecond})
	c := dialWire(t, s.URL, "")
	payload := strings.Repeat("x", 30)
	for _, b := range []byte(masked(aText, payload)) {
		c.say(string([]byte{b}))
		pause(t.Context(), 50*time.Millisecond)
	}
	c.expect(wireFrame{aText, payload})
}
