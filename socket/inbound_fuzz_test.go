package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// recorded is a connection from which recorded bytes are read.
type recorded struct {
	net.Conn
	io.Reader
}

func (r recorded) Read(b []byte) (int, error) { return r.Reader.Read(b) }

// Whatever a client sends, it ends: with messages that are not too big, a
// violation that has a code that may be sent, or an end.
func FuzzFrames(f *testing.F) {
	for _, seed := range []string{
		masked(aText, "hello"),
		masked(beginsText, "a") + masked(aPing, "p") + masked(ends, "b"),
		masked(aText|deflateBit, "\xf2\x48\xcd\xc9\xc9\x07\x00"),
		masked(aClose, closeWith(1000, "bye")),
		masked(aBinary, string(make([]byte, 200))),
		"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask",
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, sent []byte, deflate bool) {
		const limit = 1000
		h := &hub{config: config{maxMessage: limit, auth: time.Second, ping: time.Second, pong: time.Second}}
		h.wheel = newWheel(h.config, h.config.tick())
		c := newConnection(h)
		c.deflate, c.in.conn = deflate, recorded{Reader: bytes.NewReader(sent)}
		for {
			opcode, data, err := c.message()
			var v *violation
			switch {
			case err == nil && (len(data) > limit || opcode < 0 || opcode > websocket.BinaryMessage):
				t.Fatalf("a message of opcode %d and %d bytes", opcode, len(data))
			case errors.As(err, &v):
				if _, err := closeCode(closeFrame(v.code, v.reason).data); err != nil {
					t.Fatalf("%v would be answered with a close that may not be sent: %v", v, err)
				}
			}
			if err != nil {
				return
			}
		}
	})
}
