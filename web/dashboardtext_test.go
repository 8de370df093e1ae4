package web

import (
	"strings"
	"testing"
)

func TestDashboardShowsText(t *testing.T) {
	for data, want := range map[string]string{
		"":               "",
		"two\nlines":     "two\nlines",
		"tab\tand é":     "tab\tand é",
		"\xff\x00 bytes": "non-printable bytes",
		"call 007 at 5":  "call 007 at 5",
	} {
		if got := showText("", []byte(data)); got != want {
			t.Errorf("%q is shown as %q, want %q", data, got, want)
		}
	}
}

// The page makes float64s of the numbers in JSON; what has another number gets to it
// as something that is not JSON.
func TestDashboardShowsNumbersExactly(t *testing.T) {
	for _, number := range []string{
		"1970670598291982290", "9007199254740993", "-9007199254740993", "1e400", "-1e400", "1e-400", "-0", "-0.0", "0.10", "1.0", "1E5",
		"0.1000000000000000055511151231257827", "3.14159265358979323846264338327950288", "123456789012345678901234567890",
	} {
		for _, data := range []string{number, `[` + number + `]`, `{"a":{"b":[1,"2",` + number + `]},"c":3}`} {
			got := showText("", []byte(data))
			text, exact := strings.CutSuffix(got, exactNote)
			if compact := strings.Join(strings.Fields(text), ""); !exact || compact != data {
				t.Errorf("%s is shown as %q", data, got)
			}
		}
	}
	for _, data := range []string{
		"0", "1", "-1", "9007199254740991", "-9007199254740992", "0.1", "1.5e-9", "1e+21", "1.7976931348623157e+308", "5e-324",
		`{"id": 12, "text": "1970670598291982290", "1e400": null}`, `["-0"]`, " 12\n",
	} {
		if got := showText("", []byte(data)); got != data {
			t.Errorf("%s is shown as %q", data, got)
		}
	}
	if got, want := showText("", []byte(`{"id":1970670598291982290,"of":[{},[]]}`)),
		"{\n  \"id\": 1970670598291982290,\n  \"of\": [\n    {},\n    []\n  ]\n}\n// numbers as they are stored"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
