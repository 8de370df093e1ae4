package socket

import (
	"slices"
	"testing"
)

func FuzzPositions(f *testing.F) {
	f.Add("1 0 3 ada")
	f.Add(formatPositions([]position{{"a b", 2, 1}, {"", 3, 2}, {"1 2 3", 1 << 60, 0}}))
	f.Add("1 0 99999999999999999999 a")
	f.Fuzz(func(t *testing.T, s string) {
		to, err := parsePositions(s)
		if err != nil {
			return
		}
		again, err := parsePositions(formatPositions(to))
		if err != nil || !slices.Equal(to, again) {
			t.Errorf("%q was read as %v, and after writing that as %v, %v", s, to, again, err)
		}
	})
}

func TestEntriesOfAnotherVersionAreRefused(t *testing.T) {
	for _, values := range []map[string]any{
		{}, {"v": "2", "k": "user", "o": "1", "p": "x", "to": "1 0 1 a"},
		{"v": "1", "k": "topic", "o": "1", "p": "x", "to": "1 0 1 a"},
		{"v": "1", "k": "user", "o": "3", "p": "x", "to": "1 0 1 a"},
		{"v": "1", "k": "user", "o": "8", "p": "x", "to": "1 0 1 a"},
		{"v": "1", "k": "user", "o": "1", "p": "x", "to": "1 0 5 a"},
	} {
		if entries, err := parseInbox(values); err == nil {
			t.Errorf("%v was read as %v", values, entries)
		}
	}
}
