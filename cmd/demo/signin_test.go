package main

import (
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	for _, name := range []struct{ in, want string }{
		{"Ada", "Ada"},
		{"  Grace   Hopper\t", "Grace Hopper"},
		{"林徽因", "林徽因"},
		{"<b>Bold</b>", "<b>Bold</b>"}, // the page shows it as text
		{strings.Repeat("ä", maxName), strings.Repeat("ä", maxName)},
	} {
		if got, err := cleanName(name.in); got != name.want || err != nil {
			t.Errorf("cleanName(%q) = %q, %v; want %q", name.in, got, err, name.want)
		}
	}
}

func TestCleanNameRefuses(t *testing.T) {
	for name, why := range map[string]string{
		"":                                 "a name is needed",
		" \t\n":                            "a name is needed",
		strings.Repeat("ä", maxName+1):     "at most 32 characters, this one has 33",
		"Ada\x00":                          "U+0000",
		"Ada\x1b[31m":                      "U+001B",
		"Ada\u200b":                        "U+200B", // looks like Ada
		"\u202eadA":                        "U+202E", // is written backwards
		"Ada\xff":                          "U+FFFD",
		"Ada" + string(rune(0xE000)) + "!": "U+E000",
	} {
		if got, err := cleanName(name); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("cleanName(%q) = %q, %v; want an error with %q", name, got, err, why)
		}
	}
}
