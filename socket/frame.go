package socket

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/gorilla/websocket"
)

// frame is what one write on a connection carries.
type frame struct {
	opcode int // a message type of package websocket
	data   []byte
}

// size is what a queued frame counts for: its payload, and about what it costs
// besides.
func (f frame) size() int { return len(f.data) + 64 }

// encode turns a value given to Send into a frame: a string is text as it is,
// bytes are binary as they are, anything else is JSON text.
func encode(v any) (frame, error) {
	switch v := v.(type) {
	case string:
		return frame{opcode: websocket.TextMessage, data: []byte(v)}, nil
	case []byte:
		return frame{opcode: websocket.BinaryMessage, data: v}, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return frame{}, fmt.Errorf("socket: encode message of type %T: %w", v, err)
	}
	return frame{opcode: websocket.TextMessage, data: data}, nil
}

// errorFrame is how every failure is told to a client.
func errorFrame(reason string) frame {
	data, _ := json.Marshal(struct {
		Error string `json:"error"`
	}{reason}) // a struct of one string always encodes
	return frame{opcode: websocket.TextMessage, data: data}
}

// closeCode returns the code in a close frame.
func closeCode(f frame) int { return int(binary.BigEndian.Uint16(f.data)) }

func closeFrame(code int, reason string) frame {
	// A control frame holds 125 bytes, two of which are the code.
	if len(reason) > 123 {
		reason = reason[:123]
	}
	return frame{opcode: websocket.CloseMessage, data: websocket.FormatCloseMessage(code, reason)}
}
