package scheduler

import (
	"slices"
	"testing"
	"time"
)

func TestFieldsOfASpec(t *testing.T) {
	for spec, want := range map[string]string{
		"every second":                 "* * * * * *",
		"every 15 seconds":             "*/15 * * * * *",
		"every minute":                 "* * * * *",
		"every 20 minutes":             "*/20 * * * *",
		"@every 90m":                   "",
		"every 7 minutes":              "",
		"every hour":                   "0 * * * *",
		"every 6 hours":                "0 */6 * * *",
		"every day":                    "0 0 * * *",
		"every 2 days":                 "",
		" 30 9  * * mon-fri":           "30 9 * * mon-fri",
		"TZ=Europe/Berlin 0 9 1 * *":   "TZ=Europe/Berlin 0 9 1 * *",
		"never":                        "",
		"what a later program can say": "",
	} {
		got := fieldsOf(spec)
		if got != want {
			t.Errorf("%s: got %q, want %q", spec, got, want)
		}
		if got == "" {
			continue
		}
		at := time.Date(2026, time.March, 4, 10, 7, 30, 0, time.UTC)
		if a, b := ticksAfter(spec, at, 5), ticksAfter(got, at, 5); len(b) > 0 && !slices.Equal(a, b) {
			t.Errorf("%s has the ticks %v, and %s %v", spec, a, got, b)
		}
	}
}
