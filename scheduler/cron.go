package scheduler

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// word is a part of a spec, and where it begins.
type word struct {
	text   string
	column int // the first character of a spec is in column 1
}

// wrong is an error about a word.
func (w word) wrong(format string, args ...any) error {
	return fmt.Errorf("column %d: %w", w.column, fmt.Errorf(format, args...))
}

// split returns the words of a spec.
func split(spec string) (words []word) {
	column, rest := 1, spec
	for text := range strings.FieldsSeq(spec) {
		space, after, _ := strings.Cut(rest, text)
		column += utf8.RuneCountInString(space)
		words = append(words, word{text, column})
		column += utf8.RuneCountInString(text)
		rest = after
	}
	return words
}

// parseCron reads five or six fields.
func parseCron(words []word, zone *time.Location) (calendar, error) {
	c := calendar{zone: zone, text: text(words)}
	all := words
	switch {
	case len(words) == 5:
		all = slices.Insert(slices.Clone(words), 0, word{"0", words[0].column})
	case len(words) != 6:
		return c, words[0].wrong("%d fields or unknown words: want five or six fields of cron, or words such as %q", len(words), "every 15 minutes")
	}
	var fields [len(fieldValues)]field
	for i, values := range fieldValues {
		var err error
		if fields[i], err = values.read(all[i]); err != nil {
			return c, err
		}
	}
	for i, set := range []*uint64{&c.second, &c.minute, &c.hour, &c.day, &c.month, &c.weekday} {
		*set = fields[i].set
	}
	day, weekday := fields[dayField], fields[weekdayField]
	c.lastDay, c.lastWeekdays = day.lasts != 0, weekday.lasts
	c.eitherDay = !day.open && !weekday.open
	c.everyHour = fields[hourField].steps
	return c, nil
}

func text(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}
