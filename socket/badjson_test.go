package socket

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestDecodeKeepsTheErrorOfEncodingJSON(t *testing.T) {
	var misfit *json.UnmarshalTypeError
	err := (&Message{Data: []byte(`"x"`)}).Decode(new(int))
	if !errors.Is(err, ErrBadMessage) || !errors.As(err, &misfit) || strings.Contains(err.Error(), "Go") {
		t.Errorf("%v", err)
	}
	var syntax *json.SyntaxError
	if err := (&Message{Data: []byte(`{x`)}).Decode(new(int)); !errors.As(err, &syntax) {
		t.Errorf("%v", err)
	}
}
