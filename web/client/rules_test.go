package client_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// rules are what queuerun.v1 allows a client to send on one connection, in the state
// that the connection is in.
type rules struct {
	greeted    bool
	accepted   bool
	open       map[int]bool // the requests without a reply
	maxMessage int
}

// client checks a frame of the client.
func (r *rules) client(kind int, data []byte) error {
	if r.maxMessage > 0 && len(data) > r.maxMessage {
		return fmt.Errorf("the frame has %d bytes, allowed are %d", len(data), r.maxMessage)
	}
	header, binary := data, kind == websocket.BinaryMessage
	if binary {
		var found bool
		if header, _, found = bytes.Cut(data, []byte("\n")); !found {
			return errors.New("no line feed ends the header")
		}
	}
	if !utf8.Valid(header) {
		return errors.New("not UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(header, &fields); err != nil || fields == nil {
		return fmt.Errorf("not an object: %v", err)
	}
	if !r.greeted {
		r.greeted = true
		return greeting(fields, binary)
	}
	return r.later(fields, binary)
}

// greeting checks the first frame.
func greeting(fields map[string]json.RawMessage, binary bool) error {
	var connect map[string]json.RawMessage
	if err := json.Unmarshal(fields["connect"], &connect); binary || err != nil || connect == nil {
		return errors.New("the first frame is not connect")
	}
	at := map[string]string{}
	if given, ok := connect["at"]; ok && json.Unmarshal(given, &at) != nil {
		return errors.New("the positions are not strings")
	}
	for channel := range at {
		if channel != "" && channel != "*" && channel[0] != '#' {
			return fmt.Errorf("%q is no channel", channel)
		}
	}
	delete(connect, "at")
	if len(connect) > 0 {
		return fmt.Errorf("connect has unknown fields: %v", connect)
	}
	delete(fields, "connect")
	_, data := fields["data"]
	text, isText := fields["text"]
	if data && isText || isText && !isString(text) {
		return errors.New("credentials of two kinds, or a text that is none")
	}
	delete(fields, "data")
	delete(fields, "text")
	if len(fields) > 0 {
		return fmt.Errorf("the first frame has unknown fields: %v", fields)
	}
	return nil
}

// later checks any frame but the first.
func (r *rules) later(fields map[string]json.RawMessage, binary bool) error {
	if !binary && len(fields) == 0 {
		return nil // a heartbeat
	}
	if !r.accepted {
		return errors.New("sent before connected")
	}
	if ack, ok := fields["ack"]; ok {
		if binary || len(fields) != 1 || !isString(ack) {
			return errors.New("not an acknowledgement")
		}
		return nil
	}
	if id, ok := fields["id"]; ok {
		var n int
		if err := json.Unmarshal(id, &n); err != nil || n < 1 || r.open[n] {
			return errors.New("the id is not a positive number, or open already")
		}
		r.open[n] = true
		delete(fields, "id")
	}
	_, data := fields["data"]
	if binary && len(fields) == 0 || !binary && len(fields) == 1 && (data || isString(fields["text"])) {
		return nil
	}
	return errors.New("not a message")
}

func isString(value json.RawMessage) bool {
	var s *string
	return json.Unmarshal(value, &s) == nil && s != nil
}

// server takes notice of a frame of the server, which may be wrong on purpose.
func (r *rules) server(kind int, data []byte) {
	if kind == websocket.BinaryMessage {
		data, _, _ = bytes.Cut(data, []byte("\n"))
	}
	var header struct {
		ID        int `json:"id"`
		Connected *struct {
			MaxMessage int `json:"maxMessage"`
		} `json:"connected"`
	}
	if json.Unmarshal(data, &header) != nil {
		return
	}
	delete(r.open, header.ID)
	if header.Connected != nil {
		r.accepted = true
		r.maxMessage = header.Connected.MaxMessage
	}
}
