package scheduler

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/robfig/cron/v3"
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

// split returns the words of a spec, in small letters unless it is a zone's name.
func split(spec string) (words []word) {
	column := 1
	for part := range strings.SplitAfterSeq(spec, " ") {
		for text := range strings.FieldsSeq(part) {
			column += utf8.RuneCountInString(part[:strings.Index(part, text)])
			part = part[strings.Index(part, text):]
			words = append(words, word{text, column})
		}
		column += utf8.RuneCountInString(part)
	}
	return words
}

// fieldParser reads the fields of cron. What it does not know is read before.
var fieldParser = cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// unrestricted is the bit with which the parser marks a field that is open.
const unrestricted = 1 << 63

// The fields, in the order of six.
const (
	secondField = iota
	minuteField
	hourField
	dayField
	monthField
	weekdayField
)

var fieldNames = [...]string{"second", "minute", "hour", "day of the month", "month", "day of the week"}

// parseCron reads five or six fields.
func parseCron(words []word, zone *time.Location) (calendar, error) {
	c := calendar{zone: zone, text: text(words)}
	fields := words
	switch {
	case len(words) == 5:
		fields = slices.Insert(slices.Clone(words), 0, word{"0", words[0].column})
	case len(words) != 6:
		return c, words[0].wrong("%d fields or unknown words: want five or six fields of cron, or words such as %q", len(words), "every 15 minutes")
	}
	var err error
	day, weekday := fields[dayField], fields[weekdayField]
	if day, err = c.takeLastDay(day); err == nil {
		weekday, err = c.takeLastWeekdays(weekday)
	}
	if err == nil {
		weekday, err = sundays(weekday)
	}
	if err != nil {
		return c, err
	}
	fields = []word{fields[0], fields[1], fields[2], day, fields[monthField], weekday}
	for i, set := range []*uint64{&c.second, &c.minute, &c.hour, &c.day, &c.month, &c.weekday} {
		if *set, err = parseField(i, fields[i]); err != nil {
			return c, err
		}
	}
	if c.second == 0 || c.minute == 0 || c.hour == 0 || c.month == 0 ||
		c.day == 0 && !c.lastDay || c.weekday == 0 && c.lastWeekdays == 0 {
		return c, errors.New("it never fires: a field has no values")
	}
	c.eitherDay = c.day&unrestricted == 0 && c.weekday&unrestricted == 0
	c.everyHour = strings.ContainsAny(fields[hourField].text, "*?/")
	return c, nil
}

// parseField reads one field. What is left of one may be nothing.
func parseField(i int, field word) (uint64, error) {
	if field.text == "" {
		return 0, nil
	}
	// The parser reads two time zones where there is one, and other things that
	// are no fields.
	if strings.ContainsAny(field.text, "=@ \t") {
		return 0, field.wrong("%q is no %s", field.text, fieldNames[i])
	}
	all := []string{"*", "*", "*", "*", "*", "*"}
	all[i] = field.text
	schedule, err := fieldParser.Parse(strings.Join(all, " "))
	if err != nil {
		return 0, field.wrong("%s: %w", fieldNames[i], err)
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return 0, field.wrong("%q is no %s", field.text, fieldNames[i])
	}
	set := [...]uint64{spec.Second, spec.Minute, spec.Hour, spec.Dom, spec.Month, spec.Dow}[i]
	if set == 0 {
		return 0, field.wrong("it never fires: %q has no %s", field.text, fieldNames[i])
	}
	return set, nil
}

// takeLastDay takes "L" out of the days of the month.
func (c *calendar) takeLastDay(field word) (word, error) {
	var left []string
	for item := range strings.SplitSeq(field.text, ",") {
		if strings.EqualFold(item, "l") {
			c.lastDay = true
			continue
		}
		left = append(left, item)
	}
	return word{strings.Join(left, ","), field.column}, nil
}

// takeLastWeekdays takes those such as "5L" and "friL" out of the days of the week.
func (c *calendar) takeLastWeekdays(field word) (word, error) {
	var left []string
	for item := range strings.SplitSeq(field.text, ",") {
		name, found := strings.CutSuffix(strings.ToLower(item), "l")
		if !found {
			left = append(left, item)
			continue
		}
		day, ok := weekdayNumber(name)
		if !ok {
			return field, field.wrong("%q is no last day of the week in a month: want one such as 5L or friL", item)
		}
		c.lastWeekdays |= 1 << day
	}
	return word{strings.Join(left, ","), field.column}, nil
}

// sundays has 7 stand for Sunday, also at the end of a range, which the parser does
// not know.
func sundays(field word) (word, error) {
	var items []string
	for item := range strings.SplitSeq(field.text, ",") {
		days, step, stepped := strings.Cut(item, "/")
		first, last, ranged := strings.Cut(days, "-")
		switch {
		case !ranged && !stepped && days == "7":
			items = append(items, "0")
		case ranged && last == "7":
			begin, ok := weekdayNumber(first)
			by, err := strconv.ParseUint(step, 10, 4)
			if !stepped {
				by, err = 1, nil
			}
			if !ok || err != nil || by == 0 {
				return field, field.wrong("%q is no range of days of the week", item)
			}
			if first == "7" {
				begin = 7
			}
			for day := begin; day <= 7; day += uint(by) {
				items = append(items, strconv.Itoa(int(day%7)))
			}
		default:
			items = append(items, item)
		}
	}
	return word{strings.Join(items, ","), field.column}, nil
}

// weekdayNumber reads 0 to 7 and the names of three letters.
func weekdayNumber(s string) (uint, bool) {
	if n, err := strconv.ParseUint(s, 10, 3); err == nil && s[0] != '+' {
		return uint(n % 7), true
	}
	i := slices.Index(weekdays, strings.ToLower(s))
	return uint(max(i, 0)), i >= 0
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func text(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}
