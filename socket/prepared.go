package socket

import (
	"encoding/binary"
	"sync"

	"github.com/gorilla/websocket"
)

// The first byte of a frame, as RFC 6455 lays it out.
const (
	finalBit   = 0x80
	deflateBit = 0x40 // RSV1, of permessage-deflate
	rsvBits    = 0x70
	opcodeBits = 0x0f
)

// The second byte: whether the payload is masked, and its length, or that the
// length follows.
const (
	maskBit    = 0x80
	lengthBits = 0x7f
	length16   = 126
	length64   = 127
)

// maxHeader is the longest header of a frame that a server writes.
const maxHeader = 2 + 8

// prepared is a frame as it is written, header and payload. A server's frames
// are not masked, so that any number of connections can share one.
type prepared struct {
	plain  []byte
	latest string // the channel and key of Latest in whose place another may come, or ""

	once     sync.Once
	deflated []byte // made when the first connection wants it; nil when it would be no shorter
}

// prepare copies a frame behind its header.
func prepare(f frame) *prepared {
	return framed(f.opcode, append(make([]byte, maxHeader, maxHeader+len(f.data)), f.data...))
}

// framed is a frame whose payload is in b, behind maxHeader bytes of room.
func framed(opcode int, b []byte) *prepared { return &prepared{plain: addHeader(opcode, b)} }

// addHeader returns the frame of a payload that is in b, behind maxHeader bytes of
// room.
func addHeader(opcode int, b []byte) []byte {
	var header [maxHeader]byte
	h := appendHeader(header[:0], finalBit|byte(opcode), len(b)-maxHeader)
	begin := maxHeader - len(h)
	copy(b[begin:], h)
	return b[begin:]
}

// bytes returns what a connection writes: a message whose payload has threshold
// bytes or more is compressed, unless threshold is 0.
func (p *prepared) bytes(threshold int) []byte {
	if threshold == 0 || len(p.plain)-headerLength(p.plain) < threshold || opcodeOf(p.plain) >= websocket.CloseMessage {
		return p.plain
	}
	p.once.Do(func() { p.deflated = deflate(p.plain) })
	if p.deflated != nil {
		return p.deflated
	}
	return p.plain
}

// appendHeader appends a header whose first byte is given.
func appendHeader(b []byte, first byte, length int) []byte {
	switch {
	case length < length16:
		return append(b, first, byte(length))
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16(append(b, first, length16), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(b, first, length64), uint64(length))
	}
}

// headerLength is how long the header of a frame that appendHeader began is.
func headerLength(b []byte) int {
	switch b[1] {
	case length16:
		return 2 + 2
	case length64:
		return 2 + 8
	default:
		return 2
	}
}

// codeOf returns the code in a close frame.
func codeOf(b []byte) int {
	if n := headerLength(b); len(b) >= n+2 {
		return int(binary.BigEndian.Uint16(b[n:]))
	}
	return websocket.CloseNoStatusReceived
}
