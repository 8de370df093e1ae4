package socket

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/guard"
)

// frame is a message or a close on its way to connections: the opcode and the
// payload.
type frame struct {
	opcode int // a message type of package websocket
	data   []byte
	json   bool // data is JSON
}

// encode turns a value given to Send into a frame: a string is text as it is,
// bytes are binary as they are, anything else is JSON text.
func encode(v any) (frame, error) {
	f, err := encoded(v)
	if err == nil && len(f.data) > MaxSent {
		return frame{}, fmt.Errorf("%w: %d bytes of type %T, want at most %d", ErrTooLarge, len(f.data), v, MaxSent)
	}
	return f, err
}

func encoded(v any) (frame, error) {
	switch v := v.(type) {
	case string:
		return frame{opcode: websocket.TextMessage, data: []byte(v)}, nil
	case []byte:
		return frame{opcode: websocket.BinaryMessage, data: v}, nil
	}
	data, err := marshal(v)
	if err != nil {
		return frame{}, fmt.Errorf("socket: encode message of type %T: %w", v, err)
	}
	return frame{opcode: websocket.TextMessage, data: data, json: true}, nil
}

// marshal is json.Marshal, but for the methods of the value that panic: that is an
// error then.
func marshal(v any) (data []byte, err error) {
	if broken := guard.Recover(func() { data, err = json.Marshal(v) }); broken != nil {
		return nil, fmt.Errorf("it %w", broken)
	}
	return data, err
}

// errorFrame is how every failure is told to a client.
func errorFrame(reason string) frame {
	data, _ := json.Marshal(struct {
		Error string `json:"error"`
	}{reason}) // a struct of one string always encodes
	return frame{opcode: websocket.TextMessage, data: data}
}

// maxControl is the largest payload of a control frame.
const maxControl = 125

// closeFrame makes a close. A reason that is too long is cut, and what is not UTF-8
// left out.
func closeFrame(code int, reason string) frame {
	const limit = maxControl - 2 // for the code
	if len(reason) > limit {
		reason = reason[:limit]
	}
	reason = strings.ToValidUTF8(reason, "")
	return frame{opcode: websocket.CloseMessage, data: websocket.FormatCloseMessage(code, reason)}
}
