package scheduler

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// span is a time from its first to its last tick, both in it.
type span struct{ first, last int64 } // Unix seconds

type spans []span

// readSpans reads "100:200 300:300".
func readSpans(text string) (s spans) {
	for word := range strings.FieldsSeq(text) {
		first, last, _ := strings.Cut(word, ":")
		from, err := strconv.ParseInt(first, 10, 64)
		to, err2 := strconv.ParseInt(last, 10, 64)
		if err == nil && err2 == nil {
			s = append(s, span{from, to})
		}
	}
	return s
}

func (s spans) has(tick time.Time) bool {
	return slices.ContainsFunc(s, func(one span) bool { return one.first <= tick.Unix() && tick.Unix() <= one.last })
}

// after returns those that end after a time.
func (s spans) after(t time.Time) spans {
	return slices.DeleteFunc(slices.Clone(s), func(one span) bool { return one.last <= t.Unix() })
}
