package socket

import (
	"errors"
	"fmt"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protowire"
)

// formatVersion starts everything that is stored. A server that meets another
// version does not guess.
const formatVersion = "1"

// errVersion: something was stored by a program that is newer than this one.
var errVersion = errors.New("unknown format version")

// record is a message as it is stored: in the log of its channel, and in the
// inboxes of the servers that it is for.
type record struct {
	frame
	key string // of Latest, or ""
	ack string // the token with which a client acknowledges it, or ""
}

// The numbers of a record's fields, in the encoding of protocol buffers. Fields
// that a reader does not know are skipped, so there is room for more.
const (
	recordOpcode protowire.Number = 1
	recordData   protowire.Number = 2
	recordKey    protowire.Number = 3
	recordAck    protowire.Number = 4
	recordJSON   protowire.Number = 5 // 1: the data is JSON
	recordNonce  protowire.Number = 6 // tells a repeat of a send from another send
)

// stored returns the record as it is in logs and in entries of inboxes. No two sends
// with nonces of their own have the same.
func (r record) stored(nonce string) string {
	var buffer [512]byte // mostly enough
	const room = 1 + 20 + 1
	b := r.append(buffer[:room])
	b = protowire.AppendTag(b, recordNonce, protowire.BytesType)
	b = protowire.AppendString(b, nonce)
	var header [room]byte
	h := appendNumber(append(header[:0], entryRecord), uint64(len(b)-room))
	begin := room - len(h)
	copy(b[begin:], h)
	return string(b[begin:])
}

// parseStored reads a record that is stored.
func parseStored(text string) (record, error) {
	if text == "" || text[0] != entryRecord {
		return record{}, fmt.Errorf("record of %d bytes: %w", len(text), errVersion)
	}
	r := entryReader{rest: text[1:]}
	stored := r.record()
	return stored, r.err
}

// append appends the record's fields.
func (r record) append(b []byte) []byte {
	b = append(b, formatVersion...)
	b = appendVarint(b, recordOpcode, uint64(r.opcode))
	b = protowire.AppendTag(b, recordData, protowire.BytesType)
	b = protowire.AppendBytes(b, r.data)
	if r.json {
		b = appendVarint(b, recordJSON, 1)
	}
	if r.key != "" {
		b = protowire.AppendTag(b, recordKey, protowire.BytesType)
		b = protowire.AppendString(b, r.key)
	}
	if r.ack != "" {
		b = protowire.AppendTag(b, recordAck, protowire.BytesType)
		b = protowire.AppendString(b, r.ack)
	}
	return b
}

// parseRecord reads a record. Its data is a part of b.
func parseRecord(b []byte) (record, error) {
	var r record
	if len(b) == 0 || b[0] != formatVersion[0] {
		return r, fmt.Errorf("record of %d bytes: %w", len(b), errVersion)
	}
	err := eachField(b[1:], func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case recordOpcode:
			r.opcode = int(n)
		case recordData:
			r.data = value
		case recordKey:
			r.key = string(value)
		case recordAck:
			r.ack = string(value)
		case recordJSON:
			r.json = n == 1
		}
		return nil
	})
	if err != nil {
		return r, fmt.Errorf("record: %w", err)
	}
	return r, r.check()
}

func (r record) check() error {
	switch {
	case r.opcode == websocket.TextMessage, r.opcode == websocket.BinaryMessage:
		return nil
	case r.opcode == websocket.CloseMessage && len(r.data) >= 2:
		return nil
	}
	return fmt.Errorf("record: opcode %d with %d bytes", r.opcode, len(r.data))
}

// eachField calls f with every field: with its bytes, or else with its number.
func eachField(b []byte, f func(number protowire.Number, value []byte, n uint64) error) error {
	for len(b) > 0 {
		number, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return protowire.ParseError(size)
		}
		b = b[size:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(b)
		default:
			size = protowire.ConsumeFieldValue(number, kind, b)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		if err := f(number, value, n); err != nil {
			return err
		}
		b = b[size:]
	}
	return nil
}

func appendVarint(b []byte, number protowire.Number, n uint64) []byte {
	b = protowire.AppendTag(b, number, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}
