package socket

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// What a connection that is not authenticated costs, counted and not timed.

// notYet is an Authenticate that is never satisfied.
func notYet(context.Context, *Message) (*User, error) { return nil, nil }

// tape is a connection from which the client's bytes are read. It notes the most that
// strangers held, and counts what is written to it.
type tape struct {
	net.Conn
	sent    bytes.Reader
	of      *strangers
	most    int64
	written atomic.Int64
}

func (t *tape) Read(b []byte) (int, error) {
	t.most = max(t.most, t.of.held.Load())
	return t.sent.Read(b)
}

func (t *tape) Write(b []byte) (int, error) {
	t.written.Add(int64(len(b)))
	return len(b), nil
}

func (t *tape) Close() error                     { return nil }
func (t *tape) SetWriteDeadline(time.Time) error { return nil }

// cost is what an input cost.
type cost struct {
	sent, allocated, held, written int64
	objects                        uint64
	commands                       int64
}

// costOf has a server that does not run, so that nothing else allocates, read what a
// stranger sends.
func costOf(t *testing.T, sent string, protocol, deflate bool) (c cost) {
	t.Helper()
	var commands atomic.Int64
	rdb := intercepted(t, redistest.Embedded(t), func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		commands.Add(1)
		return next(ctx, cmd)
	})
	h := newHub(t.Context(), &Server{Redis: rdb, Logger: quiet, Handlers: Handlers{Authenticate: notYet}})
	conn := newConnection(h)
	conn.resumes, conn.deflate = protocol, deflate
	on := &tape{of: &h.strangers}
	on.sent.Reset([]byte(sent))
	if err := conn.holding.enter(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	conn.start(on)
	h.work.Wait()
	runtime.ReadMemStats(&after)
	if left := on.sent.Len(); left > 0 {
		t.Fatalf("%d bytes were not read", left)
	}
	if held := h.strangers.held.Load(); held != 0 {
		t.Errorf("%d bytes are held by a connection that is gone", held)
	}
	return cost{
		sent: int64(len(sent)), allocated: int64(after.TotalAlloc - before.TotalAlloc), held: on.most, written: on.written.Load(),
		objects: after.Mallocs - before.Mallocs, commands: commands.Load(),
	}
}

// again repeats frames until there are about so many bytes.
func again(size int, frames string) string { return strings.Repeat(frames, max(1, size/len(frames))) }

// fragments is a message in parts.
func fragments(parts ...string) string {
	var b strings.Builder
	for i, part := range parts {
		first := byte(goesOn)
		if i == 0 {
			first = beginsText
		}
		b.WriteString(masked(first, part))
	}
	return b.String() + masked(ends, "")
}

// repeated returns n times the same.
func repeated(n int, part string) (parts []string) {
	for range n {
		parts = append(parts, part)
	}
	return parts
}

// squeezed is a compressed message.
func squeezed(text string) string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(w, text)
	_ = w.Flush()
	return masked(aText|deflateBit, strings.TrimSuffix(b.String(), string(deflateTail)))
}

// namedPositions is a first frame with short names, or the same name again and again.
func namedPositions(size int, name func(i int) string) string {
	var b strings.Builder
	b.WriteString(`{"connect":{"at":{"":""`)
	for i := 0; b.Len() < size; i++ {
		b.WriteString(`,"` + name(i) + `":""`)
	}
	return masked(aText, b.String()+`}}}`)
}

// The constants that doc.go's words and Server.MaxUnauthenticated's rest upon.
const (
	mostAllocatedPerByte = 24                // in plain frames, of any kind
	mostPerFrame         = 2<<10 + forgotten // besides, for one that is given to Authenticate
	mostHeldPerByte      = 4
	mostInflatedPerByte  = 10 * maxInflation // allocated, of compressed ones: it grows as it is read
	mostPerInflation     = 64 << 10          // for each compressed message
)

func TestAStrangerCostsAtMostAConstantTimesItsBytes(t *testing.T) {
	const size = 256 << 10
	connect := masked(aText, `{"connect":{}}`)
	for _, input := range []struct {
		name              string
		sent              string
		protocol, deflate bool
		perByte, perFrame int64 // allocated
	}{
		{"messages of 60 KiB", again(size, masked(aText, strings.Repeat("x", 60<<10))), false, false, mostAllocatedPerByte, 0},
		{"messages of a byte", again(size, masked(aText, "x")), false, false, mostAllocatedPerByte, mostPerFrame},
		{"empty messages", again(size, masked(aBinary, "")), false, false, mostAllocatedPerByte, mostPerFrame},
		{"many parts of a byte behind large ones", fragments(append(repeated(256, strings.Repeat("x", 4096)), repeated(60_000, "x")...)...), true, false, mostAllocatedPerByte, 0},
		{"empty parts", fragments(repeated(60_000, "")...), false, false, mostAllocatedPerByte, 0},
		{"a part that never comes", masked(beginsText, "x") + "\x00\xfe\xff\xff\x00\x00\x00\x00", false, false, mostAllocatedPerByte, mostPerFrame},
		{"pings", again(size, masked(aPing, "")), false, false, mostAllocatedPerByte, mostPerFrame},
		{"long pings", again(size, masked(aPing, strings.Repeat("x", maxControl))), false, false, mostAllocatedPerByte, 0},
		{"pongs", again(size, masked(aPong, "")), false, false, mostAllocatedPerByte, 0},
		{"pings within a message", masked(beginsText, "x") + again(size, masked(aPing, "")), false, false, mostAllocatedPerByte, mostPerFrame},
		{"frames after a close", masked(aClose, closeWith(1000, "")), false, false, mostAllocatedPerByte, mostPerFrame},
		{"what is thrown away", masked(aText, "\xff") + strings.Repeat("x", size), false, false, mostAllocatedPerByte, 0},
		{"a bomb", again(size/64, squeezed(strings.Repeat("x", 64<<10))), false, true, mostInflatedPerByte, mostPerInflation},
		{"small compressed messages", again(size/16, squeezed("x")), false, true, mostAllocatedPerByte, mostPerInflation},
		{"short positions", namedPositions(1<<20, func(i int) string { return fmt.Sprintf("%x", i) }), true, false, mostAllocatedPerByte, 0},
		{"the same position", namedPositions(1<<20, func(int) string { return "" }), true, false, mostAllocatedPerByte, 0},
		{"escaped positions", namedPositions(1<<20, func(i int) string { return `\u0061` }), true, false, mostAllocatedPerByte, 0},
		{"escaped text", masked(aText, `{"connect":{},"text":"`+strings.Repeat(`\u0061`, 10_000)+`"}`), true, false, mostAllocatedPerByte, 0},
		{"lists in lists", masked(aText, `{"connect":{},"data":`+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`}`), true, false, mostAllocatedPerByte, 0},
		{"lists too deep", masked(aText, `{"connect":`+strings.Repeat("[", size)+`}`), true, false, mostAllocatedPerByte, 0},
		{"members that nobody knows", masked(aText, `{"connect":{}`+strings.Repeat(`,"a":1`, size/6)+`}`), true, false, mostAllocatedPerByte, 0},
		{"a member again and again", masked(aText, `{"connect":{}`+strings.Repeat(`,"connect":{"at":{}}`, size/20)+`}`), true, false, mostAllocatedPerByte, 0},
		{"credentials again and again", connect + again(size, masked(aText, `{"id":1,"data":1}`)), true, false, mostAllocatedPerByte, mostPerFrame},
		{"heartbeats", connect + again(size, masked(aText, `{}`)), true, false, mostAllocatedPerByte, mostPerFrame},
		{"acknowledgements", connect + again(size, masked(aText, `{"ack":"a/b"}`)), true, false, mostAllocatedPerByte, mostPerFrame},
		{"binary messages", connect + again(size, masked(aBinary, "{}\nx")), true, false, mostAllocatedPerByte, mostPerFrame},
	} {
		t.Run(input.name, func(t *testing.T) {
			c := costOf(t, input.sent, input.protocol, input.deflate)
			frames := int64(1)
			if input.perFrame > 0 {
				frames = countFrames(input.sent)
			}
			t.Logf("%d bytes sent: %.1f allocated, %.2f objects, %.2f written, %.2f held a byte; %d commands to Redis",
				c.sent, per(c.allocated, c), per(int64(c.objects), c), per(c.written, c), per(c.held-place, c), c.commands)
			const once = 64 << 10 // of the connection, and of buffers that are shared
			if most := once + input.perByte*c.sent + input.perFrame*frames; c.allocated > most {
				t.Errorf("%d bytes sent in %d frames had %d allocated, want at most %d", c.sent, frames, c.allocated, most)
			}
			mostHeld := place + 2*trust + mostHeldPerByte*c.sent
			if input.deflate {
				mostHeld += 2 * (64 << 10) // what one message may become
			}
			if c.held > mostHeld {
				t.Errorf("%d bytes sent had %d held, want at most %d", c.sent, c.held, mostHeld)
			}
			if c.commands != 0 {
				t.Errorf("%d commands to Redis", c.commands)
			}
		})
	}
}

func per(n int64, c cost) float64 { return float64(n) / float64(c.sent) }

// countFrames counts the frames of a client.
func countFrames(sent string) (n int64) {
	in := inbound{conn: recorded{Reader: strings.NewReader(sent)}}
	for {
		h, err := in.header(true)
		if err != nil {
			return n
		}
		n++
		if _, err := in.payload(nil, h, nil); err != nil {
			return n
		}
	}
}

// A request that is no handshake reaches neither the application nor Redis.
func TestARequestThatIsNoHandshakeCostsNothingButItsAnswer(t *testing.T) {
	var commands, asked atomic.Int64
	rdb := intercepted(t, redistest.Embedded(t), func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		commands.Add(1)
		return next(ctx, cmd)
	})
	s := &Server{Redis: rdb, Logger: quiet, Handlers: Handlers{OnConnect: func(context.Context, *http.Request) (*User, error) {
		asked.Add(1)
		return Anonymous, nil
	}}}
	h := newHub(t.Context(), s)
	s.hub.Store(h)
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n" + strings.Repeat("X-Y: z\r\n", 1000) + "\r\n",
	} {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.ServeHTTP(answer, r)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 8<<10 {
			t.Errorf("%d bytes were allocated to answer with %d", allocated, answer.Code)
		}
		if answer.Code < 400 {
			t.Errorf("answered with %d", answer.Code)
		}
	}
	if commands.Load()+asked.Load()+h.strangers.held.Load() != 0 {
		t.Errorf("%d commands, OnConnect called %d times, %d bytes held", commands.Load(), asked.Load(), h.strangers.held.Load())
	}
}

// What strangers hold in fact is what they are taken to hold.
func TestPositionsOfStrangersAreHeldAsTheyCame(t *testing.T) {
	const clients = 12
	s := serve(t, &Server{Redis: redistest.Embedded(t), Handlers: Handlers{Authenticate: notYet}})
	first := namedPositions(1<<20, func(i int) string { return fmt.Sprintf("%x", i) })
	before := heap()
	for range clients {
		c := dialWireFor(t, s.URL, Protocol)
		c.say(first)
	}
	held := &s.current().strangers.held
	want := int64(clients * (1 << 20))
	redistest.Eventually(t, patience, "the frames to be read and forgotten", func() bool {
		n := held.Load()
		return n >= want && n < want+clients*(64<<10)
	})
	if grown := int64(heap() - before); grown > 2*want {
		t.Errorf("%d bytes of positions take %d", want, grown)
	}
}

func TestStrangersHaveABudgetTogether(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		const budget = 1 << 20
		s := serve(t, &Server{Redis: rdb, MaxUnauthenticated: budget, Handlers: Handlers{Authenticate: byName}})
		held := &s.current().strangers.held
		ada := dialAs(t, s, "ada")
		redistest.Eventually(t, patience, "a user to hold nothing", func() bool { return held.Load() == 0 })
		late, crowd := dialWire(t, s.URL, ""), []*wireClient{}
		late.say(masked(beginsText, strings.Repeat("x", 30_000))) // for which it has 32 KiB
		for i := range 16 {
			c := dialWire(t, s.URL, "")
			if i < 14 {
				c.say(masked(beginsText, strings.Repeat("x", 60_000))) // and 64 KiB for each
			}
			crowd = append(crowd, c)
		}
		const taken = 17*place + 32<<10 + 14*64<<10
		redistest.Eventually(t, patience, "them to be read", func() bool { return held.Load() == taken })
		// One who sends more is closed, one who comes is refused, and a user is neither.
		late.say(masked(goesOn, strings.Repeat("x", 10_000)))
		late.expect(wireFrame{aClose, closeWith(CloseTryLater, errCrowded.reason)})
		var refused *http.Response
		var more []*device
		for range budget / place {
			d, res := try(t, s.URL)
			if d == nil {
				refused = res
				break
			}
			more = append(more, d)
		}
		if refused == nil || refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("Retry-After") == "" {
			t.Errorf("answered with %v, want 503", refused)
		}
		if held.Load() > budget {
			t.Errorf("%d bytes are held, want at most %d", held.Load(), budget)
		}
		sendText(t, outside(rdb), To("ada"), "news")
		ada.expect("news")
		for _, d := range more {
			d.Close()
		}
		for _, c := range crowd {
			c.Close()
		}
		late.Close()
		redistest.Eventually(t, patience, "all to be given back", func() bool { return held.Load() == 0 })
		dialAs(t, s, "bob")
	})
}

// Answers to one who does not read them count too.
func TestWhatWaitsForAStrangerCounts(t *testing.T) {
	h := newHub(t.Context(), &Server{Redis: redistest.Embedded(t), Logger: quiet, MaxUnauthenticated: place + 10_000,
		Handlers: Handlers{Authenticate: notYet}})
	c := newConnection(h)
	if err := c.holding.enter(); err != nil {
		t.Fatal(err)
	}
	c.out.held = true // as if the client took nothing
	answers := 0
	for ; c.countQueued() == nil; answers++ {
		if answers > 1000 {
			t.Fatal("they do not count")
		}
		if err := c.post(prepare(errorFrame("no"))); err != nil {
			t.Fatal(err)
		}
	}
	if size := c.out.size; size <= 10_000 || size > 10_200 {
		t.Errorf("%d bytes waited in the end, want a few more than 10,000", size)
	}
	c.holding.leave()
	if held := h.strangers.held.Load(); held != 0 {
		t.Errorf("%d bytes are held", held)
	}
}

func TestAnAnonymousConnectionHoldsOnlyItsMessages(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		begun, finish := make(chan struct{}), make(chan struct{})
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: func(context.Context, *Message) error {
			begun <- struct{}{}
			<-finish
			return nil
		}}})
		var once sync.Once
		t.Cleanup(func() { once.Do(func() { close(finish) }) })
		held := &s.current().strangers.held
		d := dial(t, s.URL)
		redistest.Eventually(t, patience, "it to hold nothing", func() bool { return held.Load() == 0 })
		d.say(strings.Repeat("x", 10_000))
		<-begun
		if n := held.Load(); n < 10_000 || n > 20_000 {
			t.Errorf("a message of 10,000 bytes holds %d", n)
		}
		once.Do(func() { close(finish) })
		redistest.Eventually(t, patience, "it to hold nothing", func() bool { return held.Load() == 0 })
		if err := d.WriteMessage(websocket.TextMessage, nil); err != nil {
			t.Fatal(err)
		}
		<-begun
	})
}
