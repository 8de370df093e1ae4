package web

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/hibiken/asynqmon"
)

// exactNote ends a JSON text that the page must not read. It reads what is JSON, to
// write it with indents, and its numbers are no more exact than a float64.
const exactNote = "\n// numbers as they are stored"

// showText shows what is text as it is, also with several lines or none.
func showText(kind string, data []byte) string {
	if !utf8.Valid(data) {
		return asynqmon.DefaultPayloadFormatter(kind, data)
	}
	if !json.Valid(data) || numbersSurvive(data) {
		return string(data)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(data), "", "  "); err != nil {
		return string(data)
	}
	return indented.String() + exactNote
}

// numbersSurvive reports whether the page writes every number of the JSON as it
// is there.
func numbersSurvive(data []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if err != nil {
			return true // the end
		}
		if n, ok := token.(json.Number); ok && !numberSurvives(n.String()) {
			return false
		}
	}
}

// numberSurvives compares a number with what JavaScript makes of it, which is what
// package json makes of a float64, except for -0.
func numberSurvives(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return false
	}
	written, err := json.Marshal(f)
	return err == nil && string(written) == text && text != "-0"
}
