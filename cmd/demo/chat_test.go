package main

import (
	"strings"
	"testing"
)

func TestCleanText(t *testing.T) {
	for _, text := range []struct{ in, want string }{
		{" hello \n", "hello"},
		{"two\nlines\tand a tab", "two\nlines\tand a tab"},
		{"👩‍👩‍👧", "👩‍👩‍👧"},
		{strings.Repeat("ä", maxText), strings.Repeat("ä", maxText)},
	} {
		if got, err := cleanText(text.in); got != text.want || err != nil {
			t.Errorf("cleanText(%q) = %q, %v; want %q", text.in, got, err, text.want)
		}
	}
}

func TestCleanTextRefuses(t *testing.T) {
	for text, why := range map[string]string{
		"":                             "needs some text",
		" \n ":                         "needs some text",
		strings.Repeat("x", maxText+1): "at most 500 characters, this one has 501",
		"a\x00b":                       "U+0000",
		"a\x07b":                       "U+0007",
	} {
		if got, err := cleanText(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("cleanText(%q) = %q, %v; want an error with %q", text, got, err, why)
		}
	}
}
