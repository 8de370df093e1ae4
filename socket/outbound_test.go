package socket

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// It does to a queue what writes, pings and closes do, at random, and counts.
func TestTheQueueCountsExactlyAndKeepsFramesWhole(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var o outbound
		var queued, written []byte // what a client has to receive in the end, and has received
		for range 200 {
			switch r.IntN(5) {
			case 0, 1:
				b := prepare(frame{opcode: websocket.BinaryMessage, data: make([]byte, r.IntN(300))}).plain
				queued = append(queued, b...)
				o.add(len(o.frames), b)
			case 2: // a write of all, a part or nothing of what was to be written
				if len(o.frames) > 0 {
					b := bytes.Clone(bytes.Join(o.next(1+r.IntN(1000)), nil))
					n := r.IntN(len(b) + 1)
					written = append(written, b[:n]...)
					o.wrote(n)
				}
			case 3:
				if r.IntN(10) == 0 {
					kept := bytes.Join(o.frames[:o.begun], nil)
					o.drop()
					queued = append(bytes.Clone(written), kept...)
				}
			case 4: // a ping, before what has not been begun
				b, before := prepare(frame{opcode: websocket.PingMessage}).plain, bytes.Join(o.frames[:o.begun], nil)
				after := bytes.Join(o.frames[o.begun:], nil)
				o.add(o.begun, b)
				queued = bytes.Join([][]byte{written, before, b, after}, nil)
			}
			size := 0
			for _, b := range o.frames {
				size += len(b) + overhead
			}
			if o.size != size {
				t.Fatalf("seed %d: counted %d, want %d", seed, o.size, size)
			}
			if got := append(bytes.Clone(written), bytes.Join(o.frames, nil)...); !bytes.Equal(got, queued) {
				t.Fatalf("seed %d: a frame was torn or lost", seed)
			}
		}
		if o.wrote(len(bytes.Join(o.frames, nil))); o.size != 0 || o.frames != nil {
			t.Fatalf("seed %d: empty, and yet %d bytes in %v", seed, o.size, o.frames)
		}
	}
}

func TestLatestReplacesWhatWaitsForASlowClient(t *testing.T) {
	h := newRim()
	h.maxQueued = 1 << 20
	c := h.rim(t, Anonymous) // of which nothing is written
	give := func(ch channel, text, key string) {
		t.Helper()
		r := record{frame: frame{opcode: websocket.TextMessage, data: []byte(text)}, key: key}
		if err := c.give(&message{delivery: delivery{channel: ch, record: r}}); err != nil {
			t.Fatal(err)
		}
	}
	give("u:ada", "first", "")
	for i := range 1000 {
		give("u:ada", fmt.Sprint("score ", i), "score")
		give("t:room", fmt.Sprint("other score ", i), "score")
	}
	give("u:ada", "last", "")
	give("u:ada", "score 1000", "score")
	var got []string
	for _, b := range c.out.frames {
		got = append(got, string(b[headerLength(b):]))
	}
	if want := "first,other score 999,last,score 1000"; strings.Join(got, ",") != want {
		t.Errorf("%q waits, want %q", got, want)
	}
	size := 0
	for _, b := range c.out.frames {
		size += len(b) + overhead
	}
	if c.out.size != size {
		t.Errorf("counted %d, want %d", c.out.size, size)
	}
	c.out.begun = len(c.out.frames) // is being written
	give("u:ada", "score 1001", "score")
	if n := len(c.out.frames); n != 5 {
		t.Errorf("%d frames, want 5: what is being written cannot be replaced", n)
	}
}

// One that is held waits too, also the first.
func TestLatestReplacesWhatIsHeld(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}})
		d := dial(t, s.URL+"?user=ada")
		var c *connection
		redistest.Eventually(t, patience, "the connection to be the hub's", func() bool {
			for _, c = range s.current().connections() {
			}
			return c != nil
		})
		give := func(texts ...string) {
			t.Helper()
			var messages []*message
			for _, text := range texts {
				key, _, _ := strings.Cut(text, " ")
				r := record{frame: frame{opcode: websocket.TextMessage, data: []byte(text)}, key: key}
				messages = append(messages, &message{delivery: delivery{channel: "u:ada", record: r}})
			}
			if err := c.give(messages...); err != nil {
				t.Fatal(err)
			}
		}
		c.hold()
		give("score 1")
		give("score 2")
		give("wind 1", "score 3", "wind 2", "score 4")
		c.release()
		d.expect("wind 2")
		d.expect("score 4")
		c.hold()
		give("score 5", "score 6") // together
		c.release()
		d.expect("score 6")
		give("score 7") // nothing of before is left to be taken out
		d.expect("score 7")
	})
}

// flood is what a handler sends back: messages of all sizes, each beginning with
// its number.
func flood(ctx context.Context, messages int) error {
	for i := range messages {
		size := []int{0, 10, 100, 1000, 20_000}[i%5]
		if err := Send(ctx, strconv.Itoa(i)+" "+strings.Repeat("x", size)); err != nil {
			return err
		}
	}
	return nil
}

func TestOrderHoldsWhoeverWrites(t *testing.T) {
	const messages = 5000 // 21 MB, more than any socket takes at once
	s := &Server{Redis: redistest.Embedded(t), MaxQueued: 1 << 30, PingInterval: 5 * time.Millisecond, Compress: 500,
		Handlers: Handlers{Timeout: time.Minute, OnMessage: func(ctx context.Context, m *Message) error { return flood(ctx, messages) }}}
	plain := serve(t, s).URL
	secure := httptest.NewTLSServer(s)
	t.Cleanup(secure.Close)
	for name, url := range map[string]string{"plain": plain, "TLS": "wss" + strings.TrimPrefix(secure.URL, "https")} {
		for _, compressed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/compressed=%v", name, compressed), func(t *testing.T) {
				dialer := websocket.Dialer{EnableCompression: compressed, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				conn, _, err := dialer.Dial(url, nil)
				if err != nil {
					t.Fatal(err)
				}
				d := &device{conn, t}
				defer conn.Close()
				d.say("go")
				for i := range messages {
					number, rest, _ := strings.Cut(d.next(), " ")
					if number != strconv.Itoa(i) || strings.Trim(rest, "x") != "" {
						t.Fatalf("received message %s, want %d", number, i)
					}
					if i == 100 {
						pause(t.Context(), 50*time.Millisecond) // the socket fills up
					}
				}
			})
		}
	}
}

func TestAClientThatTakesNothingIsDropped(t *testing.T) {
	s := &Server{Redis: redistest.Embedded(t), MaxQueued: 1 << 30, WriteTimeout: 100 * time.Millisecond,
		Handlers: Handlers{OnMessage: func(ctx context.Context, m *Message) error { return flood(ctx, 5000) }}}
	d := dial(t, serve(t, s).URL)
	d.say("go")
	redistest.Eventually(t, patience, "the connection to be gone", func() bool { return len(s.hub.Load().connections()) == 0 })
}

// One message takes many times the time-out to be written, and yet there is
// always some progress.
func TestAClientThatTakesLittleIsKept(t *testing.T) {
	const size = MaxSent
	s := &Server{Redis: redistest.Embedded(t), WriteTimeout: 500 * time.Millisecond, PingInterval: 100 * time.Millisecond,
		PongTimeout: 300 * time.Millisecond, Handlers: Handlers{
			OnMessage: func(ctx context.Context, m *Message) error { return Send(ctx, make([]byte, size)) },
		}}
	d := dial(t, serve(t, s).URL)
	if err := d.NetConn().(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	d.say("go")
	_, r, err := d.NextReader()
	if err != nil {
		t.Fatal(err)
	}
	began, received := time.Now(), int64(0)
	for received < size {
		n, err := io.CopyN(io.Discard, r, size/128)
		received += n
		if err != nil {
			t.Fatalf("after %d bytes and %v: %v", received, time.Since(began), err)
		}
		pause(t.Context(), 20*time.Millisecond)
	}
	if took := time.Since(began); took < 2*time.Second {
		t.Errorf("it took only %v", took)
	}
}

func TestAPingThatWaitsIsReplaced(t *testing.T) {
	c := newConnection(&hub{})
	c.out.held = true
	data := prepare(frame{opcode: websocket.TextMessage, data: []byte("x")})
	c.out.add(0, data.plain)
	for i := range 3 {
		c.ping()
		c.urge(frame{opcode: websocket.PongMessage, data: []byte{byte('0' + i)}})
	}
	want := [][]byte{{aPing, 0}, {aPong, 1, '2'}, data.plain}
	if fmt.Sprint(c.out.frames) != fmt.Sprint(want) {
		t.Errorf("queued %v, want %v", c.out.frames, want)
	}
	if want := 3*overhead + 2 + 3 + 3; c.out.size != want {
		t.Errorf("counted %d, want %d", c.out.size, want)
	}
}

// A queue that is never empty holds no frames of Latest that were written long ago.
func TestAQueueThatIsNeverEmptyForgetsWhatWasWritten(t *testing.T) {
	var out outbound
	for i := range 10_000 {
		b := prepare(frame{opcode: websocket.TextMessage, data: []byte("a score")}).plain
		key := fmt.Sprint("key ", i)
		out.supersede(key)
		out.add(len(out.frames), b)
		out.note(key, b)
		if len(out.frames) > 2 {
			out.wrote(len(out.frames[0]))
		}
	}
	if len(out.frames) == 0 || len(out.latest) > 100 {
		t.Errorf("the queue has %d frames and holds %d", len(out.frames), len(out.latest))
	}
}

// A server that was kept for a moment delivers much at once. That does not make its
// clients slow.
func TestAClientThatReadsIsNotSlowWhenMuchComesAtOnce(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnConnect: byQuery}, MaxQueued: 64 << 10})
		d := dial(t, s.URL+"?user=ada")
		sub, ctx := s.hub.Load().find(userChannel("ada")), outside(rdb)
		const messages = 100
		sub.mu.Lock() // the reader of the inbox has to wait
		text := strings.Repeat("x", 4<<10)
		for i := range messages {
			sendText(t, ctx, To("ada"), fmt.Sprint(i, text))
		}
		sub.mu.Unlock()
		for i := range messages {
			d.expect(fmt.Sprint(i, text))
		}
	})
}
