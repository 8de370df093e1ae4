package web

import "testing"

func TestDashboardShowsText(t *testing.T) {
	for data, want := range map[string]string{
		"":               "",
		"two\nlines":     "two\nlines",
		"tab\tand é":     "tab\tand é",
		"\xff\x00 bytes": "non-printable bytes",
	} {
		if got := showText("", []byte(data)); got != want {
			t.Errorf("%q is shown as %q, want %q", data, got, want)
		}
	}
}
