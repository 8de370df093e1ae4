package scheduler

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// maxInterval is far above what anyone needs, and low enough to calculate with.
const maxInterval = 10 * 366 * 24 * time.Hour

// everyTicks come at the multiples of an interval since the Unix epoch, so that
// every process finds the same ones whenever it was started.
type everyTicks time.Duration

func (e everyTicks) next(t time.Time) time.Time {
	interval := int64(time.Duration(e) / time.Second)
	seconds := t.Unix()
	past := seconds % interval
	if past < 0 { // before the epoch
		past += interval
	}
	return time.Unix(seconds-past+interval, 0).UTC()
}

var units = map[string]time.Duration{
	"second": time.Second,
	"minute": time.Minute,
	"hour":   time.Hour,
	"day":    24 * time.Hour,
}

// isInterval tells whether a spec is one of those that parseEvery reads. A day of a
// zone is none: it may have 23 hours.
func isInterval(words []word, zone *time.Location) bool {
	switch first := strings.ToLower(words[0].text); {
	case first == "@every":
		return true
	case first != "every":
		return false
	case len(words) == 2:
		unit := strings.ToLower(words[1].text)
		return units[strings.TrimSuffix(unit, "s")] != 0 && !(unit == "day" && zone != nil)
	case len(words) == 1:
		return true
	}
	unit := strings.ToLower(words[2].text)
	return units[strings.TrimSuffix(unit, "s")] != 0 || unicode.IsDigit(rune(words[1].text[0])) || strings.ContainsAny(words[1].text[:1], "+-")
}

// parseEvery reads "@every 1h30m", "every minute" and "every 15 minutes".
func parseEvery(words []word) (ticks, error) {
	var interval time.Duration
	var err error
	switch first := strings.ToLower(words[0].text); {
	case first == "@every" && len(words) == 2:
		if interval, err = time.ParseDuration(words[1].text); err != nil {
			err = words[1].wrong("%w", err)
		}
	case first == "every" && len(words) == 2:
		unit := strings.ToLower(words[1].text)
		if interval = units[unit]; interval == 0 {
			err = words[1].wrong("unknown unit %q: want second, minute, hour or day", words[1].text)
		}
	case first == "every" && len(words) == 3:
		interval, err = times(words[1], words[2])
	case first == "@every":
		err = words[0].wrong(`want "@every" and a duration, such as "@every 1h30m"`)
	default:
		err = words[0].wrong(`want "every" and a unit or a number of units, such as "every 15 minutes"`)
	}
	if err != nil {
		return nil, err
	}
	if interval < time.Second || interval > maxInterval || interval%time.Second != 0 {
		return nil, words[1].wrong("the interval %v is not a number of whole seconds, at least one and at most ten years", interval)
	}
	return everyTicks(interval), nil
}

func times(number, unit word) (time.Duration, error) {
	single, plural := strings.CutSuffix(strings.ToLower(unit.text), "s")
	one := units[single]
	if one == 0 {
		return 0, unit.wrong("unknown unit %q: want seconds, minutes, hours or days", unit.text)
	}
	n, err := strconv.ParseUint(number.text, 10, 31)
	if err != nil || n == 0 || number.text[0] == '+' {
		return 0, number.wrong("%q is not a whole number above zero", number.text)
	}
	if !plural && n != 1 {
		return 0, unit.wrong("want %q after %d", unit.text+"s", n)
	}
	if n > uint64(maxInterval/one) {
		return 0, number.wrong("%d %s is more than ten years", n, unit.text)
	}
	return time.Duration(n) * one, nil
}
