package scheduler

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The fields, in the order of six.
const (
	secondField = iota
	minuteField
	hourField
	dayField
	monthField
	weekdayField
)

// values are what a field may have.
type values struct {
	what        string
	first, last int
	names       []string // of the values from the first on, three small letters each
	days        bool     // "L" is the last day of the month
	weekdays    bool     // 7 is Sunday as well, and 5L or friL a last one of the month
}

var fieldValues = [...]values{
	secondField:  {what: "second", first: 0, last: 59},
	minuteField:  {what: "minute", first: 0, last: 59},
	hourField:    {what: "hour", first: 0, last: 23},
	dayField:     {what: "day of the month", first: 1, last: 31, days: true},
	monthField:   {what: "month", first: 1, last: 12, names: []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	weekdayField: {what: "day of the week", first: 0, last: 6, names: []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, weekdays: true},
}

// field is what one field of cron says.
type field struct {
	set   uint64 // a bit for every value that matches
	lasts uint64 // so do the last days of the month, or of these weekdays in it
	open  bool   // every value matches
	steps bool   // it has "*", "?" or a step
}

// read reads a field: a list of values, of ranges such as 1-5, and of "*" or "?", each
// with a step if it likes, such as 1-5/2 and 10/5, which goes on to the largest value.
func (v values) read(w word) (f field, err error) {
	column := w.column
	for text := range strings.SplitSeq(w.text, ",") {
		item := word{text, column}
		if item.text == "" {
			return f, item.wrong("%s: the list %q has nothing before, after or between commas", v.what, w.text)
		}
		if err := v.readItem(&f, item); err != nil {
			return f, err
		}
		column += utf8.RuneCountInString(text) + 1
	}
	return f, nil
}

// readItem adds one item of the list.
func (v values) readItem(f *field, item word) error {
	if day, ok := v.lastDay(item.text); ok {
		f.lasts |= 1 << day
		return nil
	}
	span, step, stepped := strings.Cut(item.text, "/")
	begin, end, err := v.span(item, span, stepped)
	if err != nil {
		return err
	}
	by := 1
	if stepped {
		if by, err = v.step(item, step, end-begin+1); err != nil {
			return err
		}
	}
	whole := span == "*" || span == "?"
	f.open = f.open || whole && by == 1
	f.steps = f.steps || whole || stepped
	for value := begin; value <= end; value += by {
		if value > v.last { // Sunday, as the end of the week
			f.set |= 1 << v.first
			break
		}
		f.set |= 1 << value
	}
	return nil
}

// span reads what a step may follow.
func (v values) span(item word, span string, stepped bool) (begin, end int, err error) {
	if span == "*" || span == "?" {
		return v.first, v.last, nil
	}
	first, last, ranged := strings.Cut(span, "-")
	begin, ok := v.value(first)
	if !ok {
		return 0, 0, v.noValue(item, first)
	}
	switch {
	case ranged:
		if end, ok = v.value(last); !ok {
			return 0, 0, v.noValue(item, last)
		}
	case stepped:
		end = v.last
	default:
		end = begin
	}
	if end == v.first && v.weekdays && (begin > end || last == "7" && first != "7") {
		end = v.last + 1
	}
	if begin > end {
		return 0, 0, item.wrong("%s: the range %q ends before it begins", v.what, span)
	}
	return begin, end, nil
}

func (v values) noValue(item word, text string) error {
	return item.wrong("%s: %q is none of %d to %d", v.what, text, v.first, v.last)
}

// step reads a step, which must not lead out of its range at once.
func (v values) step(item word, text string, most int) (int, error) {
	n, err := strconv.ParseUint(text, 10, 31)
	switch {
	case err != nil || n == 0:
		return 0, item.wrong("%s: the step %q is not a whole number above zero", v.what, text)
	case n > uint64(most):
		return 0, item.wrong("%s: the step %d is larger than its range, which has %d values", v.what, n, most)
	}
	return int(n), nil
}

// value reads a number, or a name.
func (v values) value(text string) (int, bool) {
	if i := slices.Index(v.names, strings.ToLower(text)); i >= 0 {
		return v.first + i, true
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err == nil && n == 7 && v.weekdays {
		return 0, true
	}
	return int(n), err == nil && int(n) >= v.first && int(n) <= v.last
}

// lastDay reads "L", or "5L" and "friL".
func (v values) lastDay(text string) (day int, ok bool) {
	before, found := strings.CutSuffix(strings.ToLower(text), "l")
	switch {
	case found && v.days:
		return 0, before == ""
	case found && v.weekdays:
		return v.value(before)
	default:
		return 0, false
	}
}
