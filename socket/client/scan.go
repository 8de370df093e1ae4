package client

import (
	"encoding/json"
	"errors"
)

var errJSON = errors.New("not a JSON object")

// members calls yield with the raw name and the raw value of each member of the
// JSON object that data holds. Of a value that is an array or an object it finds
// the end and looks no further: what is in it is the application's. This takes a
// quarter of the time of encoding/json, which a client spends on each message.
func members(data []byte, yield func(name, value []byte) error) error {
	s := scanner{data: data}
	if !s.next('{') {
		return errJSON
	}
	if !s.next('}') {
		for {
			s.space()
			name := s.string()
			if name == nil || !s.next(':') {
				return errJSON
			}
			s.space()
			value := s.value()
			if value == nil {
				return errJSON
			}
			if err := yield(name, value); err != nil {
				return err
			}
			if s.next('}') {
				break
			}
			if !s.next(',') {
				return errJSON
			}
		}
	}
	s.space()
	if s.at != len(data) {
		return errJSON
	}
	return nil
}

// scanner walks over JSON.
type scanner struct {
	data []byte
	at   int
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// next steps over the byte, and the space before it, if it is what comes next.
func (s *scanner) next(b byte) bool {
	s.space()
	if s.at < len(s.data) && s.data[s.at] == b {
		s.at++
		return true
	}
	return false
}

// string returns the string that begins here, in its quotes, or nil.
func (s *scanner) string() []byte {
	if s.at >= len(s.data) || s.data[s.at] != '"' {
		return nil
	}
	begin := s.at
	for s.at++; s.at < len(s.data); s.at++ {
		switch b := s.data[s.at]; {
		case b == '"':
			s.at++
			return s.data[begin:s.at]
		case b == '\\':
			s.at++
		case b < ' ':
			return nil
		}
	}
	return nil
}

// value returns the value that begins here, or nil.
func (s *scanner) value() []byte {
	if s.at >= len(s.data) {
		return nil
	}
	begin := s.at
	switch s.data[s.at] {
	case '"':
		return s.string()
	case '{', '[':
		if !s.nested() {
			return nil
		}
		return s.data[begin:s.at]
	}
	for s.at < len(s.data) && !ends(s.data[s.at]) {
		s.at++
	}
	if literal := s.data[begin:s.at]; json.Valid(literal) {
		return literal
	}
	return nil
}

// nested steps over an array or an object.
func (s *scanner) nested() bool {
	for depth := 0; s.at < len(s.data); {
		switch s.data[s.at] {
		case '"':
			if s.string() == nil {
				return false
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		s.at++
		if depth == 0 {
			return true
		}
	}
	return false
}

// ends tells whether a number, true, false or null ends before the byte.
func ends(b byte) bool {
	switch b {
	case ',', '}', ']', ' ', '\t', '\r', '\n':
		return true
	}
	return false
}

// unquote returns what a raw JSON string says.
func unquote(raw []byte) (string, error) {
	if raw[0] == '"' {
		for _, b := range raw {
			if b == '\\' {
				var text string
				err := json.Unmarshal(raw, &text)
				return text, err
			}
		}
		return string(raw[1 : len(raw)-1]), nil
	}
	return "", errors.New("not a string")
}
