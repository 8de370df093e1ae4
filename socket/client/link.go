package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// link is one WebSocket. The goroutine of Run reads it; one that writes exists
// only while there is something to write.
type link struct {
	ws   *websocket.Conn
	conn *idleConn
	work sync.WaitGroup // every goroutine that uses the link, besides that of Run

	// The goroutine of Run uses these.
	began  time.Time     // when it was accepted
	advice time.Duration // when to come back

	// The Client's mutex guards these.
	heartbeat time.Duration // how often each side says something; 0 until accepted
	accepted  bool
	writing   bool // a writer is running
	beatDue   bool // it is to say that the client is there
	leaving   bool // it is to close the connection when the buffer is empty
	closed    bool // it has done so
	ended     bool // nothing may be started on the link any more
	handling  bool // a frame is being handled
	spoke     time.Time
	timer     *time.Timer // of keepAlive; nil when it is not armed
	farewell  *time.Timer // set by leave
	throttle  throttle
	held      *time.Timer // until the throttle lets the next frame through; nil when none waits for it
}

// readBuffers are shared, since a client needs one only while a frame arrives.
var readBuffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// largestKept bounds the buffers that are kept for other frames.
const largestKept = 64 << 10

// frame reads the body of a frame.
func (l *link) frame(opcode int, body io.Reader) (frame, error) {
	buffer := readBuffers.Get().(*bytes.Buffer)
	defer func() {
		if buffer.Cap() <= largestKept {
			buffer.Reset()
			readBuffers.Put(buffer)
		}
	}()
	if _, err := buffer.ReadFrom(body); err != nil {
		return frame{}, l.readError(err)
	}
	f, err := parse(opcode == websocket.BinaryMessage, buffer.Bytes())
	if err != nil {
		return frame{}, l.protest(err)
	}
	return f, nil
}

// protest tells the server that it broke the protocol.
func (l *link) protest(err error) error {
	if errors.Is(err, errNotUTF8) {
		l.say(websocket.CloseInvalidFramePayloadData, "text is not UTF-8")
	} else {
		l.say(websocket.CloseProtocolError, "bad frame")
	}
	return fmt.Errorf("socket client: frame of the server: %w", err)
}

func (l *link) readError(err error) error {
	var closed *websocket.CloseError
	var late net.Error
	switch {
	case errors.As(err, &closed):
		return &CloseError{Code: closed.Code, Reason: closed.Text}
	case errors.Is(err, websocket.ErrReadLimit):
		return fmt.Errorf("%w: a frame of the server", ErrTooBig)
	case errors.As(err, &late) && late.Timeout():
		return fmt.Errorf("socket client: nothing heard for %v: %w", l.conn.idle, os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("socket client: read: %w", err)
}

// say writes a close frame, as far as that goes in a moment.
func (l *link) say(code int, reason string) {
	frame := websocket.FormatCloseMessage(code, reason)
	_ = l.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second))
}
