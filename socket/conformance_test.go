package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// These tests speak RFC 6455 byte by byte: what a library would not send, too.

// First bytes of frames.
const (
	aText        = 0x81
	aBinary      = 0x82
	aClose       = 0x88
	aPing        = 0x89
	aPong        = 0x8a
	beginsText   = 0x01 // not final
	beginsBinary = 0x02
	goesOn       = 0x00
	ends         = 0x80 // the last part of a fragmented message
)

// wireFrame is a frame that the server wrote.
type wireFrame struct {
	first   byte
	payload string
}

func (f wireFrame) String() string {
	if len(f.payload) > 100 {
		return fmt.Sprintf("%#x with %d bytes", f.first, len(f.payload))
	}
	return fmt.Sprintf("%#x %q", f.first, f.payload)
}

func closeWith(code int, reason string) string {
	return string(websocket.FormatCloseMessage(code, reason))
}

// masked is a frame as a client writes it.
func masked(first byte, payload string) string {
	b := appendHeader(nil, first, len(payload))
	b[1] |= maskBit
	key := []byte{0x37, 0xfa, 0x21, 0x3d}
	b = append(b, key...)
	for i := range len(payload) {
		b = append(b, payload[i]^key[i%4])
	}
	return string(b)
}

// wireClient is a client that writes bytes.
type wireClient struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// dialWire opens a connection. extensions is what the client offers.
func dialWire(t testing.TB, url, extensions string) *wireClient {
	t.Helper()
	host := strings.TrimPrefix(url, "ws://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &wireClient{conn, t, bufio.NewReader(conn)}
	request := "GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if extensions != "" {
		request += "Sec-WebSocket-Extensions: " + extensions + "\r\n"
	}
	c.say(request + "\r\n")
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols ||
		resp.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("handshake: %v, %v", resp, err)
	}
	return c
}

// dialWireFor opens a connection that speaks a subprotocol.
func dialWireFor(t testing.TB, url, protocol string) *wireClient {
	if protocol == "" {
		return dialWire(t, url, "")
	}
	return dialWire(t, url, "x\r\nSec-WebSocket-Protocol: "+protocol)
}

func (c *wireClient) say(bytes string) {
	c.t.Helper()
	if _, err := io.WriteString(c, bytes); err != nil {
		c.t.Fatal(err)
	}
}

// next returns the server's next frame, its own pings left out, or io.EOF.
func (c *wireClient) next() (f wireFrame, err error) {
	c.SetReadDeadline(time.Now().Add(patience))
	for {
		if f, err = c.read(); err != nil || f != (wireFrame{aPing, ""}) {
			return f, err
		}
	}
}

func (c *wireClient) read() (f wireFrame, err error) {
	b := make([]byte, 8)
	if _, err := io.ReadFull(c.r, b[:2]); err != nil {
		return f, err
	}
	f.first = b[0]
	length := uint64(b[1])
	switch b[1] {
	case length16:
		_, err = io.ReadFull(c.r, b[:2])
		length = uint64(binary.BigEndian.Uint16(b))
	case length64:
		_, err = io.ReadFull(c.r, b)
		length = binary.BigEndian.Uint64(b)
	}
	if err != nil {
		return f, err
	}
	payload := make([]byte, length)
	_, err = io.ReadFull(c.r, payload)
	f.payload = string(payload)
	return f, err
}

func (c *wireClient) expect(want wireFrame) {
	c.t.Helper()
	if got, err := c.next(); err != nil || got != want {
		c.t.Fatalf("received %v, %v; want %v", got, err, want)
	}
}

// expectClosed fails unless the server closes with a code, of 0 without one, and
// then the TCP connection.
func (c *wireClient) expectClosed(code int) {
	c.t.Helper()
	f, err := c.next()
	got := 0
	if len(f.payload) >= 2 {
		got = int(binary.BigEndian.Uint16([]byte(f.payload)))
	}
	if err != nil || f.first != aClose || got != code {
		c.t.Fatalf("received %v, %v; want close %d", f, err, code)
	}
	if f, err := c.next(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("after the close frame: %v, %v; want the end", f, err)
	}
}

// echo answers every message with itself.
func echo(ctx context.Context, m *Message) error {
	if m.binary {
		return Send(ctx, m.Data)
	}
	return Send(ctx, string(m.Data))
}

const testMaxMessage = 128 << 10

func echoServer(t testing.TB, s *Server) *running {
	t.Helper()
	s.Redis, s.MaxMessage, s.Handlers.OnMessage = redistest.Embedded(t), testMaxMessage, echo
	return serve(t, s)
}

func TestConformanceOfWhatIsAllowed(t *testing.T) {
	s := echoServer(t, &Server{})
	for _, test := range []struct {
		name string
		sent string
		want []wireFrame
	}{
		{"an empty text", masked(aText, ""), []wireFrame{{aText, ""}}},
		{"an empty message", masked(aBinary, ""), []wireFrame{{aBinary, ""}}},
		{"two messages at once", masked(aText, "one") + masked(aBinary, "two"), []wireFrame{{aText, "one"}, {aBinary, "two"}}},
		{"fragments", masked(beginsText, "a") + masked(goesOn, "b") + masked(ends, "c"), []wireFrame{{aText, "abc"}}},
		{"empty fragments", masked(beginsText, "") + masked(goesOn, "") + masked(ends, ""), []wireFrame{{aText, ""}}},
		{"an empty end", masked(beginsBinary, "a") + masked(ends, ""), []wireFrame{{aBinary, "a"}}},
		{"a ping between fragments", masked(beginsText, "a") + masked(aPing, "p") + masked(ends, "b"), []wireFrame{{aPong, "p"}, {aText, "ab"}}},
		{"a pong between fragments", masked(beginsText, "a") + masked(aPong, "p") + masked(ends, "b"), []wireFrame{{aText, "ab"}}},
		{"an empty ping", masked(aPing, ""), []wireFrame{{aPong, ""}}},
		{"a ping of 125 bytes", masked(aPing, strings.Repeat("\xfe", 125)), []wireFrame{{aPong, strings.Repeat("\xfe", 125)}}},
		{"a pong nobody asked for", masked(aPong, "p") + masked(aPing, "q"), []wireFrame{{aPong, "q"}}},
		{"UTF-8", masked(aText, "κόσμε\U0010ffff"), []wireFrame{{aText, "κόσμε\U0010ffff"}}},
		{"UTF-8 split in a character", masked(beginsText, "\xf0\x9f") + masked(goesOn, "\x98") + masked(ends, "\x80"), []wireFrame{{aText, "😀"}}},
		{"binary that is not UTF-8", masked(aBinary, "\xff\xfe"), []wireFrame{{aBinary, "\xff\xfe"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for way, write := range map[string]func(*wireClient){
				"at once":      func(c *wireClient) { c.say(test.sent) },
				"byte by byte": func(c *wireClient) { c.sayInPieces(test.sent, 1) },
			} {
				c := dialWire(t, s.URL, "")
				write(c)
				for _, want := range test.want {
					got, err := c.next()
					if err != nil || got != want {
						t.Fatalf("%s: received %v, %v; want %v", way, got, err, want)
					}
				}
				c.say(masked(aPing, "still there?")) // and nothing else came
				c.expect(wireFrame{aPong, "still there?"})
			}
		})
	}
}

// sayInPieces writes so many bytes at a time.
func (c *wireClient) sayInPieces(bytes string, size int) {
	c.t.Helper()
	for len(bytes) > 0 {
		n := min(size, len(bytes))
		c.say(bytes[:n])
		bytes = bytes[n:]
	}
}

func TestConformanceOfSizes(t *testing.T) {
	s := echoServer(t, &Server{})
	c := dialWire(t, s.URL, "")
	for _, size := range []int{1, 7, 8, 9, 125, 126, 127, 128, 4090, 4095, 4096, 4097, 65535, 65536, 100_000, testMaxMessage} {
		payload := string(bytes.Repeat([]byte("0123456789\x80"), size/11+1)[:size])
		c.say(masked(aBinary, payload))
		c.expect(wireFrame{aBinary, payload})
		c.sayInPieces(masked(aBinary, payload), 1+size/10)
		c.expect(wireFrame{aBinary, payload})
		half := size / 2
		c.say(masked(beginsBinary, payload[:half]) + masked(aPing, "p") + masked(ends, payload[half:]))
		c.expect(wireFrame{aPong, "p"})
		c.expect(wireFrame{aBinary, payload})
	}
}

func TestConformanceOfWhatIsNotAllowed(t *testing.T) {
	const protocol = websocket.CloseProtocolError
	s := echoServer(t, &Server{})
	long := strings.Repeat("x", 126)
	header := func(first byte, length uint64) string { // of a frame that does not follow
		return string(binary.BigEndian.AppendUint64([]byte{first, maskBit | length64}, length)) + "mask"
	}
	for _, test := range []struct {
		name string
		sent string
		code int
	}{
		{"not masked", string([]byte{aText, 1, 'x'}), protocol},
		{"RSV1", masked(aText|0x40, "x"), protocol},
		{"RSV2", masked(aText|0x20, "x"), protocol},
		{"RSV3", masked(aText|0x10, "x"), protocol},
		{"RSV1 on a ping", masked(aPing|0x40, "x"), protocol},
		{"opcode 3", masked(0x83, ""), protocol},
		{"opcode 7", masked(0x87, "x"), protocol},
		{"opcode 11", masked(0x8b, ""), protocol},
		{"opcode 15", masked(0x8f, "x"), protocol},
		{"a ping of 126 bytes", masked(aPing, long), protocol},
		{"a pong of 126 bytes", masked(aPong, long), protocol},
		{"a close of 126 bytes", masked(aClose, closeWith(1000, long[2:])+"x"), protocol},
		{"a fragmented ping", masked(0x09, "a") + masked(ends, "b"), protocol},
		{"a fragmented close", masked(0x08, closeWith(1000, "")), protocol},
		{"an end of nothing", masked(ends, "x"), protocol},
		{"a continuation of nothing", masked(goesOn, "x"), protocol},
		{"a continuation after the end", masked(beginsText, "a") + masked(ends, "b") + masked(ends, "c"), protocol},
		{"a message within a message", masked(beginsText, "a") + masked(aText, "b"), protocol},
		{"a beginning within a message", masked(beginsBinary, "a") + masked(beginsBinary, "b"), protocol},
		{"a negative length", header(aBinary, 1<<63), protocol},
		{"a huge length", header(aBinary, 1<<62), CloseTooBig},
		{"too big by one", header(aBinary, testMaxMessage+1), CloseTooBig},
		{"too big in fragments", masked(beginsBinary, strings.Repeat("x", testMaxMessage)) + masked(ends, "x"), CloseTooBig},
		{"too big, and all of it sent", masked(aBinary, strings.Repeat("x", 4<<20)), CloseTooBig},
		{"too long a sum", masked(beginsBinary, "x") + header(goesOn, 1<<63-1), CloseTooBig},
		{"not UTF-8", masked(aText, "a\xffb"), CloseInvalid},
		{"an overlong character", masked(aText, "\xc0\xaf"), CloseInvalid},
		{"half of a surrogate pair", masked(aText, "\xed\xa0\x80"), CloseInvalid},
		{"beyond Unicode", masked(aText, "\xf4\x90\x80\x80"), CloseInvalid},
		{"half a character", masked(aText, "\xf0\x9f\x98"), CloseInvalid},
		{"not UTF-8 across fragments", masked(beginsText, "\xf0\x9f") + masked(goesOn, "") + masked(ends, "\x98x"), CloseInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dialWire(t, s.URL, "")
			c.say(masked(aText, "before"))
			c.expect(wireFrame{aText, "before"})
			go func() { _, _ = io.WriteString(c, test.sent) }() // fails when the server does not read it
			first, err := c.next()
			if first == (wireFrame{aText, "ab"}) { // what was complete before
				first, err = c.next()
			}
			if err != nil || first.first != aClose || len(first.payload) < 2 || int(binary.BigEndian.Uint16([]byte(first.payload))) != test.code {
				t.Fatalf("received %v, %v; want close %d", first, err, test.code)
			}
			if f, err := c.next(); !errors.Is(err, io.EOF) {
				t.Fatalf("after the close frame: %v, %v; want the end", f, err)
			}
		})
	}
}

func TestConformanceOfCloses(t *testing.T) {
	s := echoServer(t, &Server{})
	for _, test := range []struct {
		name    string
		payload string
		code    int
	}{
		{"no code", "", 0},
		{"a reason", closeWith(1000, "bye"), 1000},
		{"the longest reason", closeWith(1001, strings.Repeat("x", 123)), 1001},
		{"one byte", "\x03", websocket.CloseProtocolError},
		{"a reason that is not UTF-8", closeWith(1000, "\xff"), CloseInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dialWire(t, s.URL, "")
			c.say(masked(beginsText, "unfinished") + masked(aClose, test.payload) + masked(aPing, "too late"))
			c.expectClosed(test.code)
		})
	}
	for code, want := range map[int]int{
		0: 1002, 999: 1002, 1004: 1002, 1005: 1002, 1006: 1002, 1015: 1002, 1016: 1002, 1100: 1002, 2000: 1002, 2999: 1002, 5000: 1002, 65535: 1002,
		1000: 1000, 1001: 1001, 1002: 1002, 1003: 1003, 1007: 1007, 1010: 1010, 1011: 1011, 1013: 1013, 1014: 1014,
		3000: 3000, 3999: 3999, 4000: 4000, 4999: 4999,
	} {
		c := dialWire(t, s.URL, "")
		c.say(masked(aClose, string(binary.BigEndian.AppendUint16(nil, uint16(code)))))
		f, err := c.next()
		if err != nil || f.first != aClose || int(binary.BigEndian.Uint16([]byte(f.payload))) != want {
			t.Errorf("close %d was answered with %v, %v; want %d", code, f, err, want)
		}
	}
}

// The server waits for the answer to its close, and takes no data for one.
func TestConformanceOfTheServersClose(t *testing.T) {
	s := &Server{Redis: redistest.Embedded(t), Handlers: Handlers{
		OnMessage: func(ctx context.Context, m *Message) error { return Close(ctx) },
	}}
	c := dialWire(t, serve(t, s).URL, "")
	c.say(masked(aText, "close"))
	c.expect(wireFrame{aClose, closeWith(CloseNormal, "closed by the application")})
	c.say(masked(aText, "not an answer") + masked(aPing, "nor this"))
	conns := s.hub.Load().connections()
	if len(conns) != 1 {
		t.Errorf("%d connections before the answer, want 1", len(conns))
	}
	c.say(masked(aClose, closeWith(CloseNormal, "")))
	if f, err := c.next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the answer: %v, %v; want the end", f, err)
	}
}

func TestAClientThatNeverAnswersACloseIsCut(t *testing.T) {
	s := &Server{Redis: redistest.Embedded(t), PongTimeout: 40 * time.Millisecond, Handlers: Handlers{
		OnMessage: func(ctx context.Context, m *Message) error { return Close(ctx) },
	}}
	c := dialWire(t, serve(t, s).URL, "")
	c.say(masked(aText, "close"))
	c.expect(wireFrame{aClose, closeWith(CloseNormal, "closed by the application")})
	began := time.Now()
	if f, err := c.next(); err == nil {
		t.Fatalf("received %v after the close", f)
	}
	if waited := time.Since(began); waited < closeReply-time.Second {
		t.Errorf("the client had %v to answer, want about %v", waited, closeReply)
	}
}

func TestConformanceOfTheHandshake(t *testing.T) {
	s := echoServer(t, &Server{})
	for name, header := range map[string]http.Header{
		"version": {"Sec-Websocket-Version": {"8"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}},
		"key":     {"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"short"}},
	} {
		r, _ := http.NewRequest(http.MethodGet, "http"+strings.TrimPrefix(s.URL, "ws"), nil)
		r.Header = header
		header.Set("Connection", "Upgrade")
		header.Set("Upgrade", "websocket")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest {
			t.Errorf("wrong %s: %s", name, resp.Status)
		}
	}
}
