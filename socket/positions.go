package socket

import (
	"bytes"
	"encoding/json"
	"errors"
)

// positions is the JSON object in which a client names its positions, by channel. It
// stays as it came until the client is accepted: as a map, short names would take
// twelve times the memory.
type positions []byte

var errPositions = errors.New("positions are an object of strings")

// UnmarshalJSON checks the positions and keeps them.
func (p *positions) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*p = nil
		return nil
	}
	if data[0] != '{' {
		return errPositions
	}
	for m := (pairs{rest: data[1:]}); m.next(); {
		if m.value[0] != '"' && string(m.value) != "null" {
			return errPositions
		}
	}
	*p = bytes.Clone(data)
	return nil
}

// split returns the positions in channels in which the client is, and the names of
// the others. A name that comes twice counts as it came last.
func (p positions) split(isIn func(name string) bool) (at map[string]string, others []string) {
	if len(p) == 0 {
		return nil, nil
	}
	at = map[string]string{}
	for m := (pairs{rest: p[1:]}); m.next(); {
		if name := unquote(m.name); isIn(name) {
			at[name] = unquote(m.value)
		} else {
			others = append(others, name)
		}
	}
	return at, others
}

// pairs goes through an object of which it is known that it is JSON, and that its
// values are no objects and no lists, or that the first that is one is the last that
// matters.
type pairs struct {
	rest        []byte // after the brace
	name, value []byte // as they are written
}

// next goes on to the next member, if there is one.
func (m *pairs) next() bool {
	m.rest = bytes.TrimLeft(m.rest, ", \t\r\n")
	if len(m.rest) == 0 || m.rest[0] != '"' {
		return false
	}
	m.name = m.take()
	m.rest = bytes.TrimLeft(m.rest, ": \t\r\n")
	m.value = m.take()
	return true
}

// take takes a string, or else what goes on until the next comma or brace.
func (m *pairs) take() (token []byte) {
	end := 1
	if m.rest[0] == '"' {
		for m.rest[end] != '"' {
			if m.rest[end] == '\\' {
				end++
			}
			end++
		}
		end++
	} else if i := bytes.IndexAny(m.rest, ",} \t\r\n"); i > 0 {
		end = i
	}
	token, m.rest = m.rest[:end], m.rest[end:]
	return token
}

// unquote returns the string that a token of JSON means; null is empty.
func unquote(token []byte) (text string) {
	if token[0] != '"' {
		return ""
	}
	inner := token[1 : len(token)-1]
	for _, b := range inner {
		if b == '\\' || b >= 0x80 {
			_ = json.Unmarshal(token, &text) // it is JSON
			return text
		}
	}
	return string(inner)
}
