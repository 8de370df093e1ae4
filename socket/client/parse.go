package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// event is what a frame of the server tells.
type event int

const (
	eventUnknown event = iota // a frame of a later version
	eventHeartbeat
	eventConnected
	eventMessage
	eventReply
	eventError
	eventMissed
	eventJoined
	eventLeft
	eventReconnect
	eventAcked
)

// frame is one frame of the server's. It shares no memory with what it was
// parsed from.
type frame struct {
	event   event
	channel string        // of message, missed, joined, left
	at      string        // the position behind it, of the same
	ack     string        // of message and acked
	id      uint64        // of reply
	kind    Kind          // of message and reply
	data    []byte        // of message and reply
	reason  string        // of an error and of a reply that failed
	failed  bool          // of reply
	after   time.Duration // of reconnect
	hello   *hello        // of connected
}

// hello is what the server says when it accepts a connection.
type hello struct {
	Connection string            `json:"connection"`
	User       string            `json:"user"`
	At         map[string]string `json:"at"`
	Recovered  *bool             `json:"recovered"`
	Lost       []string          `json:"lost"`
	Heartbeat  float64           `json:"heartbeat"` // ms
	Timeout    float64           `json:"timeout"`   // ms
	MaxMessage int64             `json:"maxMessage"`
	MaxRate    float64           `json:"maxRate"` // frames a second
	MaxBurst   int               `json:"maxBurst"`
}

// Errors about frames.
var (
	errNotUTF8   = errors.New("text is not UTF-8")
	errNoPayload = errors.New("a binary frame without a line feed")
)

// parse reads a frame.
func parse(binary bool, data []byte) (frame, error) {
	var f frame
	if binary {
		header, payload, ok := bytes.Cut(data, []byte{'\n'})
		if !ok {
			return frame{}, errNoPayload
		}
		f.kind, f.data = Binary, append([]byte{}, payload...)
		data = header
	}
	if !utf8.Valid(data) {
		return frame{}, errNotUTF8
	}
	some := false
	err := members(data, func(name, value []byte) error {
		some = true
		return f.set(name, value)
	})
	if err != nil {
		return frame{}, err
	}
	switch {
	case f.event != eventUnknown:
	case f.id != 0:
		f.event = eventReply
	case f.failed:
		f.event = eventError
	case f.kind != None:
		f.event = eventMessage
	case !some:
		f.event = eventHeartbeat
	}
	return f, nil
}

// set takes over one member of the frame. What is null might as well be absent,
// except for a payload.
func (f *frame) set(name, value []byte) (err error) {
	if bytes.IndexByte(name, '\\') >= 0 {
		plain, err := unquote(name)
		if err != nil {
			return err
		}
		name = []byte(`"` + plain + `"`)
	}
	name = name[1 : len(name)-1]
	if string(name) == "data" {
		if f.kind != Binary {
			f.kind, f.data = JSON, bytes.Clone(value)
		}
		return nil
	}
	if string(value) == "null" {
		return nil
	}
	switch string(name) {
	case "at":
		f.at, err = unquote(value)
	case "on":
		f.channel, err = unquote(value)
	case "ack":
		f.ack, err = unquote(value)
	case "text":
		var text string
		if text, err = unquote(value); f.kind != Binary {
			f.kind, f.data = Text, []byte(text)
		}
	case "id":
		f.id, err = strconv.ParseUint(string(value), 10, 64)
	case "error":
		f.failed = true
		f.reason, err = unquote(value)
	case "missed":
		err = f.about(eventMissed, value)
	case "joined":
		err = f.about(eventJoined, value)
	case "left":
		err = f.about(eventLeft, value)
	case "acked":
		f.event = eventAcked
		f.ack, err = unquote(value)
	case "connected":
		f.event = eventConnected
		f.hello = new(hello)
		err = json.Unmarshal(value, f.hello)
	case "reconnect":
		f.event = eventReconnect
		var advice struct {
			After float64 `json:"after"` // ms
		}
		err = json.Unmarshal(value, &advice)
		f.after = milliseconds(advice.After)
	}
	if err != nil {
		return fmt.Errorf("member %s: %w", name, err)
	}
	return nil
}

func (f *frame) about(e event, channel []byte) (err error) {
	f.event = e
	f.channel, err = unquote(channel)
	return err
}

// milliseconds returns a duration within what is sensible for one.
func milliseconds(ms float64) time.Duration {
	return time.Duration(min(max(0, ms), float64(farthest/time.Millisecond)) * float64(time.Millisecond))
}
