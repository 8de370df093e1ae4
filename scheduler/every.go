package scheduler

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
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

// parseEvery reads "@every 1h30m", "every minute" and "every 15 minutes".
func parseEvery(words []string) (ticks, error) {
	var interval time.Duration
	var err error
	switch {
	case words[0] == "@every" && len(words) == 2:
		interval, err = time.ParseDuration(words[1])
	case words[0] == "every" && len(words) == 2:
		interval = units[words[1]]
		if interval == 0 {
			err = fmt.Errorf("unknown unit %q: want second, minute, hour or day", words[1])
		}
	case words[0] == "every" && len(words) == 3:
		interval, err = times(words[1], words[2])
	case words[0] == "@every":
		err = errors.New(`want "@every" and a duration, such as "@every 1h30m"`)
	default:
		err = errors.New(`want "every" and a unit or a number of units, such as "every 15 minutes"`)
	}
	if err != nil {
		return nil, err
	}
	if interval < time.Second || interval > maxInterval || interval%time.Second != 0 {
		return nil, fmt.Errorf("the interval %v is not a number of whole seconds, at least one and at most ten years", interval)
	}
	return everyTicks(interval), nil
}

func times(number, unit string) (time.Duration, error) {
	single, plural := strings.CutSuffix(unit, "s")
	one := units[single]
	if one == 0 {
		return 0, fmt.Errorf("unknown unit %q: want seconds, minutes, hours or days", unit)
	}
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil || n == 0 || number[0] == '+' {
		return 0, fmt.Errorf("%q is not a whole number above zero", number)
	}
	if !plural && n != 1 {
		return 0, fmt.Errorf("want %q after %d", unit+"s", n)
	}
	if n > uint64(maxInterval/one) {
		return 0, fmt.Errorf("%d %s is more than ten years", n, unit)
	}
	return time.Duration(n) * one, nil
}
