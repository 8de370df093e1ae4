package socket

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

const deflateOffer = "permessage-deflate; client_max_window_bits"

func TestMessagesAreCompressedFromAThresholdOn(t *testing.T) {
	s := echoServer(t, &Server{Compress: 200})
	noise := make([]byte, 1000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	long := strings.Repeat("compressible ", 100)
	for _, test := range []struct {
		name, payload string
		compressed    bool
	}{
		{"short", strings.Repeat("x", 100), false},
		{"long", long, true},
		{"noise", string(noise), false}, // it would be longer
	} {
		offering, plain := dialWire(t, s.URL, deflateOffer), dialWire(t, s.URL, "")
		for _, c := range []*wireClient{offering, plain} {
			c.say(masked(aBinary, test.payload))
		}
		plain.expect(wireFrame{aBinary, test.payload})
		f, err := offering.next()
		if err != nil {
			t.Fatal(err)
		}
		if compressed := f.first == aBinary|deflateBit; compressed != test.compressed {
			t.Fatalf("%s: received %v, compressed %v", test.name, f, compressed)
		}
		if !test.compressed {
			continue
		}
		if len(f.payload) > len(test.payload)/5 {
			t.Errorf("%s: %d of %d bytes are left", test.name, len(f.payload), len(test.payload))
		}
		if got, err := inflate([]byte(f.payload), testMaxMessage); err != nil || string(got) != test.payload {
			t.Errorf("%s: received %q, %v", test.name, got, err)
		}
	}
}

func TestGorillaUnderstandsWhatIsCompressed(t *testing.T) {
	s := echoServer(t, &Server{Compress: 1})
	dialer := websocket.Dialer{EnableCompression: true}
	conn, resp, err := dialer.Dial(s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if !strings.Contains(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		t.Fatalf("negotiated %q", resp.Header.Get("Sec-WebSocket-Extensions"))
	}
	d := &device{conn, t}
	for _, size := range []int{0, 1, 10, 1000, 70_000, testMaxMessage} {
		payload := strings.Repeat("αβγ ", size/7+1)[:size/7*7]
		d.say(payload)
		d.expect(payload)
	}
}

func TestAMessageIsCompressedOnce(t *testing.T) {
	p := prepare(frame{opcode: websocket.TextMessage, data: []byte(strings.Repeat("x", 1000))})
	one, two := p.bytes(100), p.bytes(100)
	if len(one) > 100 || &one[0] != &two[0] {
		t.Errorf("two connections received %d and %d bytes of their own", len(one), len(two))
	}
	if b := p.bytes(0); &b[0] != &p.plain[0] {
		t.Error("a connection that did not negotiate it received something else")
	}
	f := prepare(closeFrame(1000, strings.Repeat("x", 120)))
	if !bytes.Equal(f.bytes(1), f.plain) {
		t.Error("a close was compressed")
	}
}

func TestOffersOfDeflate(t *testing.T) {
	for offer, want := range map[string]bool{
		"":                   false,
		"permessage-deflate": true,
		deflateOffer:         true,
		"x-other, permessage-deflate; server_no_context_takeover":           true,
		"permessage-deflate; server_max_window_bits=10":                     false,
		"permessage-deflate; server_max_window_bits=10, permessage-deflate": true,
		"x-webkit-deflate-frame":                                            false,
		"permessage-deflate-2":                                              false,
	} {
		if got := offersDeflate(map[string][]string{"Sec-Websocket-Extensions": {offer}}); got != want {
			t.Errorf("%q: %v, want %v", offer, got, want)
		}
	}
}

func TestConformanceOfDeflate(t *testing.T) {
	s := echoServer(t, &Server{Compress: 1 << 20})
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00" // the example of RFC 7692
	bomb := deflate(prepare(frame{opcode: websocket.BinaryMessage, data: make([]byte, 10*testMaxMessage)}).plain)
	for _, test := range []struct {
		name, sent string
		want       string
		code       int
	}{
		{"one frame", masked(aText|deflateBit, hello), "Hello", 0},
		{"fragments", masked(beginsText|deflateBit, hello[:3]) + masked(ends, hello[3:]), "Hello", 0},
		{"a ping in between", masked(beginsText|deflateBit, hello[:3]) + masked(aPong, "") + masked(ends, hello[3:]), "Hello", 0},
		{"not compressed", masked(aText, "Hello"), "Hello", 0},
		{"no compression", masked(aText|deflateBit, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello", 0},
		{"a last block", masked(aText|deflateBit, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello", 0},
		{"two blocks", masked(aText|deflateBit, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello", 0},
		{"a compressed continuation", masked(beginsText|deflateBit, hello[:3]) + masked(ends|deflateBit, hello[3:]), "", 1002},
		{"a compressed ping", masked(aPing|deflateBit, hello), "", 1002},
		{"garbage", masked(aText|deflateBit, "\xff\xff\xff\xff"), "", CloseInvalid},
		{"a bomb", masked(aBinary|deflateBit, string(bomb[headerLength(bomb):])), "", CloseTooBig},
		{"not UTF-8 inside", masked(aText|deflateBit, "\x00\x01\x00\xfe\xff\xff\x00"), "", CloseInvalid},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := dialWire(t, s.URL, deflateOffer)
			c.say(test.sent)
			if test.code == 0 {
				c.expect(wireFrame{aText, test.want})
			} else {
				c.expectClosed(test.code)
			}
		})
	}
}
