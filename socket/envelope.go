package socket

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// envelope is what a frame of the server says besides its payload.
type envelope struct {
	id  uint64 // of the request that is answered, or 0
	at  point  // behind the message; seq is 0 when it has no position
	on  string // the channel, or "" for the user's
	ack string // the token with which the client is to acknowledge, or ""
	err string // or ""
}

// prepare puts a message into the envelope.
func (e envelope) prepare(f frame) *prepared {
	const room = 40 // mostly enough for what is around the payload
	b := make([]byte, maxHeader, maxHeader+room+len(e.on)+len(e.ack)+len(f.data))
	return framed(f.opcode, e.append(b, f))
}

// append appends the payload of the frame that carries a message.
func (e envelope) append(b []byte, f frame) []byte {
	b = e.appendHeader(b)
	switch {
	case f.opcode == websocket.BinaryMessage:
		return append(append(b, '}', '\n'), f.data...)
	case f.json:
		b = append(appendName(b, "data"), f.data...)
	default:
		b = appendJSONString(appendName(b, "text"), f.data)
	}
	return append(b, '}')
}

// alone is a frame without a payload.
func (e envelope) alone() frame {
	return frame{opcode: websocket.TextMessage, data: append(e.appendHeader(nil), '}'), json: true}
}

// appendHeader appends a JSON object that is still open.
func (e envelope) appendHeader(b []byte) []byte {
	b = append(b, '{')
	if e.id != 0 {
		b = strconv.AppendUint(appendName(b, "id"), e.id, 10)
	}
	if e.at.seq != 0 {
		b = append(e.at.append(append(appendName(b, "at"), '"')), '"')
	}
	if e.on != "" {
		b = appendJSONString(appendName(b, "on"), e.on)
	}
	if e.ack != "" {
		b = appendJSONString(appendName(b, "ack"), e.ack)
	}
	if e.err != "" {
		b = appendJSONString(appendName(b, "error"), e.err)
	}
	return b
}

// appendName appends the name of a member to an object that is open.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), name...), `":`...)
}

// envelope is the one of a message of a channel.
func (d delivery) envelope() envelope {
	e := envelope{on: d.channel.name(), ack: d.record.ack}
	if d.at.seq != 0 {
		e.at = d.after()
	}
	return e
}

// connected is the server's first frame.
type connected struct {
	Connection string            `json:"connection"`
	User       string            `json:"user,omitempty"`
	At         map[string]string `json:"at"`
	Recovered  *bool             `json:"recovered,omitempty"`
	Lost       []string          `json:"lost,omitempty"`
	Heartbeat  int64             `json:"heartbeat"` // milliseconds
	Timeout    int64             `json:"timeout"`   // milliseconds
	MaxMessage int64             `json:"maxMessage"`
	MaxRate    float64           `json:"maxRate,omitempty"` // messages a second; no limit without it
	MaxBurst   int               `json:"maxBurst,omitempty"`
}

// controlFrame is a frame of the server that carries no message.
func controlFrame(v any) frame {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // only types of this package come here, and they encode
	}
	return frame{opcode: websocket.TextMessage, data: data, json: true}
}

// appendJSONString quotes a text. Bytes that are not UTF-8 are replaced, since a JSON
// text cannot hold them.
func appendJSONString[T string | []byte](b []byte, text T) []byte {
	if plain(text) { // as most texts of programs are
		return append(append(append(b, '"'), text...), '"')
	}
	quoted, _ := json.Marshal(string(text)) // a string always encodes
	return append(b, quoted...)
}

// plain tells whether a text is the same in JSON, and harmless in a page of HTML.
func plain[T string | []byte](text T) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&', c == 0x7f:
			return false
		}
	}
	return true
}
