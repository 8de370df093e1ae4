package socket

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// envelope is what a frame of the server says besides its payload.
type envelope struct {
	ID    uint64 `json:"id,omitempty"`
	At    string `json:"at,omitempty"`
	On    string `json:"on,omitempty"`
	Ack   string `json:"ack,omitempty"`
	Error string `json:"error,omitempty"`
}

// wrap puts a message into an envelope.
func (e envelope) wrap(f frame) frame {
	header, _ := json.Marshal(e) // a struct of strings always encodes
	if f.opcode == websocket.BinaryMessage {
		return frame{opcode: f.opcode, data: append(append(header, '\n'), f.data...)}
	}
	b := make([]byte, 0, len(header)+len(f.data)+len(`,"data":`)+2)
	b = append(b, header[:len(header)-1]...)
	if len(b) > 1 {
		b = append(b, ',')
	}
	if f.json {
		b = append(append(b, `"data":`...), f.data...)
	} else {
		b = appendJSONString(append(b, `"text":`...), f.data)
	}
	return frame{opcode: f.opcode, data: append(b, '}')}
}

// alone is a frame without a payload.
func (e envelope) alone() frame { return controlFrame(e) }

// envelope is the one of a message of a channel.
func (d delivery) envelope() envelope {
	e := envelope{On: d.channel.name(), Ack: d.record.ack}
	if d.at.seq != 0 {
		e.At = d.after().String()
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

// appendJSONString quotes a text. What is not UTF-8 is replaced, since a JSON
// text cannot hold it.
func appendJSONString(b, text []byte) []byte {
	quoted, _ := json.Marshal(string(bytes.ToValidUTF8(text, []byte(string(utf8.RuneError))))) // a string always encodes
	return append(b, quoted...)
}
