package scheduler

import (
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// frequencies are the words that a spec may begin with, and what they are as fields
// of cron: the days of the month and of the week only where the spec names none.
var frequencies = map[string]struct{ hour, day, month, weekday string }{
	"hourly":    {"*", "*", "*", "*"},
	"daily":     {"0", "*", "*", "*"},
	"weekly":    {"0", "*", "*", "0"},
	"monthly":   {"0", "1", "*", "*"},
	"quarterly": {"0", "1", "1,4,7,10", "*"},
	"yearly":    {"0", "1", "1", "*"},
	"annually":  {"0", "1", "1", "*"},
}

// sentence is a spec in words, while it is read.
type sentence struct {
	frequency            string
	hour, minute         int
	timed                bool
	days, months, onDays uint64 // named so far; onDays are days of the week
}

// isSentence tells whether a spec is in words, and not in fields.
func isSentence(words []word) bool {
	first := strings.ToLower(words[0].text)
	_, ok := frequencies[first]
	return ok || first == "at" || first == "on" || first == "every"
}

// parseSentence reads words such as "quarterly at 9:30 on mondays". All that they
// say has to be true of a tick.
func parseSentence(words []word, zone *time.Location) (calendar, error) {
	var s sentence
	rest := words
	first := strings.ToLower(words[0].text)
	if _, ok := frequencies[first]; ok {
		s.frequency, rest = first, rest[1:]
	}
	for len(rest) > 0 {
		var err error
		clause := rest[0]
		switch strings.ToLower(clause.text) {
		case "at":
			rest, err = s.at(clause, rest[1:])
		case "on", "every":
			rest, err = s.on(clause, rest[1:])
		default:
			err = clause.wrong("unexpected %q: want \"at\" and a time, or \"on\" and days or months", clause.text)
		}
		if err != nil {
			return calendar{}, err
		}
	}
	return s.calendar(words[0], zone)
}

var timePattern = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})$`)

// at reads a time of the day.
func (s *sentence) at(clause word, rest []word) ([]word, error) {
	if s.timed {
		return nil, clause.wrong("a second time of the day")
	}
	if s.frequency == "hourly" {
		return nil, clause.wrong("hourly, and at one time of the day")
	}
	if len(rest) == 0 {
		return nil, clause.wrong("no time follows \"at\"")
	}
	parts := timePattern.FindStringSubmatch(rest[0].text)
	if parts == nil {
		return nil, rest[0].wrong("%q is no time of the day: want one such as 9:30 or 17:00", rest[0].text)
	}
	s.hour, _ = strconv.Atoi(parts[1])
	s.minute, _ = strconv.Atoi(parts[2])
	if s.hour > 23 || s.minute > 59 {
		return nil, rest[0].wrong("%q is no time of the day: want 0:00 to 23:59", rest[0].text)
	}
	s.timed = true
	return rest[1:], nil
}

// on reads days of the week, months, and days of the month.
func (s *sentence) on(clause word, rest []word) ([]word, error) {
	named := 0
	for ; len(rest) > 0; rest = rest[1:] {
		w := rest[0]
		name := strings.ToLower(strings.TrimSuffix(w.text, ","))
		if name == "at" || name == "on" {
			break
		}
		if name == "and" || name == "only" {
			if named == 0 {
				return nil, w.wrong("unexpected %q", w.text)
			}
			continue
		}
		if err := s.name(name, w); err != nil {
			return nil, err
		}
		named++
	}
	if named == 0 {
		return nil, clause.wrong("no days or months follow %q", clause.text)
	}
	return rest, nil
}

var dayPattern = regexp.MustCompile(`^([0-9]{1,2})(st|nd|rd|th)?$`)

// name adds one name or number to what matches.
func (s *sentence) name(name string, w word) error {
	if name == "day" && s.days|s.months|s.onDays == 0 {
		return nil
	}
	if i := named(weekdayNames, name); i >= 0 {
		return add(&s.onDays, i, w)
	}
	if i := named(monthNames, name); i >= 0 {
		return add(&s.months, i+1, w)
	}
	parts := dayPattern.FindStringSubmatch(name)
	if parts == nil {
		return w.wrong("%q is no day of the week, month or day of the month", w.text)
	}
	day, _ := strconv.Atoi(parts[1])
	if day < 1 || day > 31 {
		return w.wrong("%q is no day of the month", w.text)
	}
	return add(&s.days, day, w)
}

func add(set *uint64, i int, w word) error {
	if *set&(1<<uint(i)) != 0 {
		return w.wrong("%q is there twice", w.text)
	}
	*set |= 1 << uint(i)
	return nil
}

var (
	weekdayNames = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	monthNames   = []string{"january", "february", "march", "april", "may", "june", "july", "august",
		"september", "october", "november", "december"}
)

// named returns which of the names it is: the whole one, the first three letters, or
// either in the plural; -1 if none.
func named(names []string, name string) int {
	for i, whole := range names {
		switch name {
		case whole, whole + "s", whole[:3], whole[:3] + "s":
			return i
		}
	}
	return -1
}

// calendar is what the sentence says.
func (s *sentence) calendar(first word, zone *time.Location) (calendar, error) {
	frequency := s.frequency
	if frequency == "" {
		frequency = "daily"
	}
	f := frequencies[frequency]
	fixed := f.month != "*" || frequency == "monthly"
	if s.months != 0 {
		if fixed && frequency != "yearly" && frequency != "annually" {
			return calendar{}, first.wrong("%q, and named months", first.text)
		}
		f.month = list(s.months)
	}
	if s.days|s.onDays != 0 {
		f.day, f.weekday = "*", "*"
	}
	if s.days != 0 {
		f.day = list(s.days)
	}
	if s.onDays != 0 {
		f.weekday = list(s.onDays)
	}
	if s.timed {
		f.hour = strconv.Itoa(s.hour)
	}
	c, err := parseCron(split(fmt.Sprintf("%d %s %s %s %s", s.minute, f.hour, f.day, f.month, f.weekday)), zone)
	if err != nil {
		return c, first.wrong("%w", err)
	}
	if c.eitherDay { // and no fields of cron say that both have to match
		c.eitherDay, c.text = false, ""
	}
	return c, nil
}

// list writes a set as cron does.
func list(set uint64) string {
	var items []string
	for ; set != 0; set &= set - 1 {
		items = append(items, strconv.Itoa(bits.TrailingZeros64(set)))
	}
	return strings.Join(items, ",")
}
