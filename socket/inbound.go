package socket

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// inbound reads a client's frames. It has a buffer only while there is
// something in it: a connection that waits for its client holds none. Only the
// connection's reader uses it.
type inbound struct {
	conn  net.Conn
	raw   syscall.RawConn       // nil when conn is not simply a socket
	ready func(fd uintptr) bool // reads when there is something to read; of raw
	err   error                 // what ready came upon

	buffer   *readBuffer
	from, to int  // what is in it
	waited   bool // since this was set to false, there was a moment with nothing to read

	heard atomic.Bool // since this was set to false, the client was heard
}

type readBuffer [4096]byte

var readBuffers = sync.Pool{New: func() any { return new(readBuffer) }}

// violation is what a client must not send. It closes the connection.
type violation struct {
	code   int
	reason string
}

func (v *violation) Error() string { return fmt.Sprintf("%s (%d)", v.reason, v.code) }

func protocolError(reason string) *violation {
	return &violation{websocket.CloseProtocolError, reason}
}

// What header finds wrong.
var (
	errReserved          = protocolError("reserved bit is set")
	errOpcode            = protocolError("unknown opcode")
	errNotMasked         = protocolError("frame is not masked")
	errFragmentedControl = protocolError("control frame is fragmented")
	errLongControl       = protocolError("control frame is too long")
	errLength            = protocolError("length is too large")
)

// header is what a client's frame begins with.
type header struct {
	first  byte
	length int64
	mask   [4]byte
}

func (h header) final() bool    { return h.first&finalBit != 0 }
func (h header) deflated() bool { return h.first&deflateBit != 0 }
func (h header) opcode() int    { return int(h.first & opcodeBits) }
func (h header) control() bool  { return h.first&opcodeBits >= 8 }

const continuation = 0 // the opcode of all frames of a message but the first

// await waits until there is something to read.
func (in *inbound) await() error {
	if in.from < in.to {
		return nil
	}
	return in.fill()
}

// header reads a header and checks what can be told from it alone. deflate
// tells whether frames may be compressed.
func (in *inbound) header(deflate bool) (h header, err error) {
	b, err := in.next(2)
	if err != nil {
		return h, err
	}
	h.first = b[0]
	masked, length := b[1]&maskBit != 0, b[1]&lengthBits
	if err := h.check(deflate); err != nil {
		return h, err
	}
	switch {
	case !masked:
		return h, errNotMasked
	case h.control() && length > maxControl:
		return h, errLongControl
	}
	switch length {
	case length16:
		if b, err = in.next(2); err != nil {
			return h, err
		}
		h.length = int64(binary.BigEndian.Uint16(b))
	case length64:
		if b, err = in.next(8); err != nil {
			return h, err
		}
		h.length = int64(binary.BigEndian.Uint64(b))
		if h.length < 0 {
			return h, errLength
		}
	default:
		h.length = int64(length)
	}
	if b, err = in.next(len(h.mask)); err != nil {
		return h, err
	}
	copy(h.mask[:], b)
	return h, nil
}

// check looks at the first byte.
func (h header) check(deflate bool) error {
	allowed := byte(0)
	if deflate && (h.opcode() == websocket.TextMessage || h.opcode() == websocket.BinaryMessage) {
		allowed = deflateBit
	}
	switch {
	case h.first&rsvBits&^allowed != 0:
		return errReserved
	case h.control() && !h.final():
		return errFragmentedControl
	}
	switch h.opcode() {
	case continuation, websocket.TextMessage, websocket.BinaryMessage,
		websocket.CloseMessage, websocket.PingMessage, websocket.PongMessage:
		return nil
	}
	return errOpcode
}

// trust is how many bytes are set aside for a payload of which little has come.
const trust = 4096

// payload appends the payload that follows a header to data, unmasked. What data
// takes up is taken from held, if there is one.
func (in *inbound) payload(data []byte, h header, held *holding) (_ []byte, err error) {
	start := len(data)
	for left := h.length; left > 0; {
		if in.from == in.to {
			if err := in.fill(); err != nil {
				return nil, err
			}
		}
		n := min(int64(in.to-in.from), left)
		if data, err = grow(data, int(n), left, h.final(), held); err != nil {
			return nil, err
		}
		data = append(data, in.buffer[in.from:in.from+int(n)]...)
		in.take(int(n))
		left -= n
	}
	unmask(data[start:], h.mask)
	return data, nil
}

// grow makes room in data for n bytes, the first of left. It doubles what there is,
// unless less is left of the message: a message that comes in many small parts is not
// copied with each of them.
func grow(data []byte, n int, left int64, last bool, held *holding) ([]byte, error) {
	if cap(data)-len(data) >= n {
		return data, nil
	}
	size := max(int64(len(data))+max(int64(n), min(left, trust)), 2*int64(cap(data)))
	if last {
		size = min(size, int64(len(data))+left)
	}
	if held != nil {
		if err := held.take(int(size) - cap(data)); err != nil {
			return nil, err
		}
	}
	return append(make([]byte, 0, size), data...), nil
}

// unmask undoes what a client did to a payload, eight bytes at a time.
func unmask(data []byte, mask [4]byte) {
	key := uint64(binary.LittleEndian.Uint32(mask[:]))
	key |= key << 32
	for len(data) >= 8 {
		binary.LittleEndian.PutUint64(data, binary.LittleEndian.Uint64(data)^key)
		data = data[8:]
	}
	for i := range data {
		data[i] ^= mask[i&3]
	}
}

// next returns the next n bytes, few. They are valid until the next call.
func (in *inbound) next(n int) ([]byte, error) {
	for in.to-in.from < n {
		if err := in.fill(); err != nil {
			return nil, err
		}
	}
	b := in.buffer[in.from : in.from+n]
	in.take(n)
	return b, nil
}

// take counts n bytes of the buffer as read.
func (in *inbound) take(n int) { in.from += n }

// fill reads what has come, at least a byte, and waits for it without a buffer
// when there is nothing in the present one.
func (in *inbound) fill() error {
	if in.from == in.to {
		in.release()
	} else if in.from > 0 {
		in.to, in.from = copy(in.buffer[:], in.buffer[in.from:in.to]), 0
	}
	if in.raw == nil {
		in.borrow()
		began := time.Now()
		n, err := in.conn.Read(in.buffer[in.to:])
		in.waited = in.waited || time.Since(began) > noticeable
		in.to += n
		if n > 0 {
			in.hear()
			return nil
		}
		return err
	}
	if err := in.raw.Read(in.ready); err != nil {
		return err
	}
	in.hear()
	return in.err
}

// hear notes that the client is alive.
func (in *inbound) hear() {
	if !in.heard.Load() { // or else the processors would take the memory from one another
		in.heard.Store(true)
	}
}

// noticeable is a wait that tells that there was nothing to read.
const noticeable = time.Millisecond

func (in *inbound) borrow() {
	if in.buffer == nil {
		in.buffer = readBuffers.Get().(*readBuffer)
	}
}

// release gives the buffer back, whatever is in it.
func (in *inbound) release() {
	if in.buffer != nil {
		readBuffers.Put(in.buffer)
		in.buffer = nil
	}
	in.from, in.to = 0, 0
}
