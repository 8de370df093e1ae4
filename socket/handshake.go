package socket

import (
	"encoding/binary"
	"io"
	"net"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// closeReply is how long a client has to answer a close frame.
const closeReply = 5 * time.Second

// answerClose is given the client's close frame. It answers it with the same
// code, unless it was itself an answer, and drops what is queued: a client that
// closes wants no more.
func (c *connection) answerClose(payload []byte) error {
	code, err := closeCode(payload)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.farewell = true
	c.failNow(closeFrame(code, ""))
	return nil
}

// closeCode reads and checks the payload of a close frame.
func closeCode(payload []byte) (int, error) {
	switch {
	case len(payload) == 0:
		return websocket.CloseNoStatusReceived, nil
	case len(payload) == 1:
		return 0, protocolError("close frame of one byte")
	case !utf8.Valid(payload[2:]):
		return 0, &violation{CloseInvalid, "close reason is not UTF-8"}
	}
	code := int(binary.BigEndian.Uint16(payload))
	if code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999 {
		return code, nil
	}
	return 0, protocolError("close code may not be sent")
}

// closeWritten is called when the close frame has been written. From now on the
// client's answer is awaited, but not for ever. The caller holds mu.
func (c *connection) closeWritten() {
	c.hub.wheel.closing(c)
	if c.violated {
		c.closeWrite()
	}
}

// closeWrite tells the client that nothing follows the close frame.
func (c *connection) closeWrite() {
	if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // then it learns so later
	}
}

// refuseToRead closes the connection of a client that broke the protocol. What
// it still sends is thrown away until it is gone: if the socket were closed while
// it sends, it would lose the close frame.
func (c *connection) refuseToRead(v *violation) {
	c.mu.Lock()
	c.violated = true
	if c.out.closed {
		c.closeWrite()
	}
	c.failNow(closeFrame(v.code, v.reason))
	c.mu.Unlock()
	_, _ = io.Copy(io.Discard, c.in.conn) // until the client, or the wheel, closes it
	c.end()
}

// sayGoodbye ends the connection after the client's close frame, as soon as the
// answer is written.
func (c *connection) sayGoodbye() {
	c.mu.Lock()
	over := c.out.closed || c.ended
	c.mu.Unlock()
	if over { // or else the writer ends it
		c.end()
	}
}
