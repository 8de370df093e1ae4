package socket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// request is a frame of a client.
type request struct {
	connect *connectRequest // the first frame
	id      uint64          // 0 when no reply is wanted
	ack     string
	payload []byte // nil when there is none
	kind    payloadKind
}

type connectRequest struct {
	At positions `json:"at"`
}

// payloadKind is what a message was before it was put into a frame.
type payloadKind byte

const (
	payloadJSON payloadKind = iota
	payloadText
	payloadBinary
)

// errFrame: a client sent something that the protocol does not have.
var errFrame = errors.New("not a frame of " + Protocol)

// parseRequest reads a frame of a client. Its payload may be a part of data.
func parseRequest(data []byte, binary bool) (request, error) {
	header, payload := data, []byte(nil)
	if binary {
		var ok bool
		if header, payload, ok = bytes.Cut(data, []byte("\n")); !ok {
			return request{}, fmt.Errorf("%w: a binary frame without a line feed", errFrame)
		}
	}
	var f struct {
		Connect *connectRequest `json:"connect"`
		ID      uint64          `json:"id"`
		Ack     string          `json:"ack"`
		Data    json.RawMessage `json:"data"`
		Text    *string         `json:"text"`
	}
	// Without this, null would be a frame too.
	if trimmed := bytes.TrimLeft(header, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return request{}, fmt.Errorf("%w: not a JSON object", errFrame)
	}
	if err := json.Unmarshal(header, &f); err != nil {
		return request{}, fmt.Errorf("%w: %w", errFrame, explainJSON(err))
	}
	r := request{connect: f.Connect, id: f.ID, ack: f.Ack}
	switch {
	case binary && (f.Data != nil || f.Text != nil), f.Data != nil && f.Text != nil:
		return request{}, fmt.Errorf("%w: more than one payload", errFrame)
	case binary:
		r.payload, r.kind = payload, payloadBinary
		if payload == nil {
			r.payload = []byte{}
		}
	case f.Text != nil:
		r.payload, r.kind = []byte(*f.Text), payloadText
	default:
		r.payload = f.Data
	}
	if r.id != 0 && r.payload == nil {
		return request{}, fmt.Errorf("%w: a request without a payload", errFrame)
	}
	return r, nil
}
