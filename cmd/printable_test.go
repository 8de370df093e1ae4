package cmd

import "testing"

func TestNothingThatATerminalObeysIsPrinted(t *testing.T) {
	for s, want := range map[string]string{
		"":                      "",
		`every "day" \ ünïcode`: `every "day" \ ünïcode`,
		"\x1b[2Jgone":           `\x1b[2Jgone`,
		"a\tb\nc\x7f":           `a\tb\nc\x7f`,
		"\u009b1m":              `\u009b1m`,
		"\u202eback":            `\u202eback`,
		"\xff":                  `\xff`,
	} {
		if got := printable(s); got != want {
			t.Errorf("%q is printed as %q, want %q", s, got, want)
		}
	}
}
