package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// ticks are the times of a schedule.
type ticks interface {
	// next returns the first tick after t, in UTC and in whole seconds, or the zero
	// time if there is none.
	next(t time.Time) time.Time
}

// never is the spec without ticks.
const never = "never"

// maxSpec is far above what a spec needs.
const maxSpec = 1024

// reference is the time from which specs are examined, so that a spec is right or
// wrong whatever the day.
var reference = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// parse reads a spec. The ticks are nil for "never". It accepts what the package
// documentation lists, and refuses what would never fire.
func parse(spec string) (ticks, error) {
	if len(spec) > maxSpec || !utf8.ValidString(spec) {
		return nil, fmt.Errorf("a spec has at most %d bytes of UTF-8", maxSpec)
	}
	if strings.EqualFold(strings.TrimSpace(spec), never) {
		return nil, nil
	}
	words, zone, err := splitZone(split(spec))
	if err != nil {
		return nil, err
	}
	if isInterval(words, zone) {
		if zone != nil {
			return nil, words[0].wrong("an interval is counted in UTC and has no time zone: %s", zone)
		}
		return parseEvery(words)
	}
	c, err := parseCalendar(words, zone)
	if err != nil {
		return nil, err
	}
	if c.next(reference).IsZero() {
		return nil, words[0].wrong("it never fires: no date matches its fields")
	}
	if zone != nil && c.text != "" {
		c.text = "TZ=" + zone.String() + " " + c.text
	}
	return c, nil
}

func parseCalendar(words []word, zone *time.Location) (calendar, error) {
	if zone == nil {
		zone = time.UTC
	}
	if words[0].text[0] == '@' {
		return parseDescriptor(words, zone)
	}
	if isSentence(words) {
		return parseSentence(words, zone)
	}
	return parseCron(words, zone)
}

// parseDescriptor reads "@hourly" and the like.
func parseDescriptor(words []word, zone *time.Location) (calendar, error) {
	if len(words) > 1 {
		return calendar{}, words[1].wrong("unexpected %q after %q", words[1].text, words[0].text)
	}
	name := strings.ToLower(words[0].text[1:])
	if name == "midnight" {
		name = "daily"
	}
	if _, ok := frequencies[name]; !ok {
		return calendar{}, words[0].wrong("unrecognized descriptor %q: want one such as @hourly or @quarterly", words[0].text)
	}
	return parseSentence([]word{{name, words[0].column}}, zone)
}

// splitZone takes the time zone off the front or the end of a spec. The zone is nil
// when there is none.
func splitZone(words []word) ([]word, *time.Location, error) {
	var zone *time.Location
	for len(words) > 0 {
		last := len(words) - 1
		w, rest := words[0], words[1:]
		variable, name, front := strings.Cut(w.text, "=")
		switch {
		case front && (strings.EqualFold(variable, "TZ") || strings.EqualFold(variable, "CRON_TZ")):
		case last >= 1 && strings.EqualFold(words[last-1].text, "in"):
			w, name, rest = words[last], words[last].text, words[:last-1]
		default:
			return words, zone, nil
		}
		if zone != nil {
			return nil, nil, w.wrong("the spec has two time zones")
		}
		var err error
		if zone, err = loadZone(name); err != nil {
			return nil, nil, w.wrong("time zone: %w", err)
		}
		if words = rest; len(words) == 0 {
			return nil, nil, w.wrong("nothing follows the time zone %s", name)
		}
	}
	return nil, nil, errors.New("the spec is empty")
}
