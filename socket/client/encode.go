package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// protocol is the WebSocket subprotocol.
const protocol = "queuerun.v1"

// beatFrame says that the client is there.
var beatFrame = []byte("{}")

// encode makes the frame of a message, or of a request if id is not 0.
func encode(v any, id uint64) (opcode int, data []byte, err error) {
	header := make([]byte, 0, 128)
	header = append(header, '{')
	if id != 0 {
		header = strconv.AppendUint(append(header, `"id":`...), id, 10)
	}
	if payload, ok := v.([]byte); ok {
		header = append(header, "}\n"...)
		return websocket.BinaryMessage, append(header, payload...), nil
	}
	if id != 0 {
		header = append(header, ',')
	}
	member, err := encodePayload(v)
	if err != nil {
		return 0, nil, err
	}
	return websocket.TextMessage, append(append(header, member...), '}'), nil
}

// encodePayload makes the member of a frame that holds a value.
func encodePayload(v any) ([]byte, error) {
	name := `"data":`
	if text, ok := v.(string); ok {
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("%w: %w", ErrBadMessage, errNotUTF8)
		}
		name = `"text":`
	}
	value, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadMessage, err)
	}
	return append([]byte(name), value...), nil
}

// encodeAck makes the frame that acknowledges a message.
func encodeAck(token string) []byte {
	quoted, _ := json.Marshal(token) // a string always encodes
	return append(append([]byte(`{"ack":`), quoted...), '}')
}

// encodeConnect makes the first frame of a connection. The credentials are a
// member of encodePayload's, or nil.
func encodeConnect(at map[string]string, credentials []byte) []byte {
	type connect struct {
		At map[string]string `json:"at,omitempty"`
	}
	first, _ := json.Marshal(connect{at}) // strings always encode
	frame := append([]byte(`{"connect":`), first...)
	if credentials != nil {
		frame = append(append(frame, ','), credentials...)
	}
	return append(frame, '}')
}

// encodeCredentials makes the member with what Auth returned.
func encodeCredentials(v any) ([]byte, error) {
	switch v.(type) {
	case nil:
		return nil, nil
	case []byte:
		return nil, errors.New("credentials are a string or a value for JSON, not bytes")
	}
	return encodePayload(v)
}
