package scheduler

import (
	"fmt"
	"time"
)

// fielder are ticks that can be told as the fields of cron.
type fielder interface {
	// fields returns them, or "" when there are none that say the same.
	fields() string
}

// fieldsOf returns the fields of cron that a spec stands for, after its zone if it
// has one, or "".
func fieldsOf(spec string) string {
	ticks, err := parse(spec)
	if f, ok := ticks.(fielder); ok && err == nil {
		return f.fields()
	}
	return ""
}

// fields are those of an interval that divides a minute, an hour or a day: these
// begin together with the epoch's.
func (e everyTicks) fields() string {
	for _, unit := range []struct {
		one, all time.Duration
		fields   string
	}{
		{time.Second, time.Minute, "%s * * * * *"},
		{time.Minute, time.Hour, "%s * * * *"},
		{time.Hour, 24 * time.Hour, "0 %s * * *"},
	} {
		n := time.Duration(e) / unit.one
		if time.Duration(e)%unit.one != 0 || unit.all%time.Duration(e) != 0 || time.Duration(e) == unit.all {
			continue
		}
		if n == 1 {
			return fmt.Sprintf(unit.fields, "*")
		}
		return fmt.Sprintf(unit.fields, fmt.Sprintf("*/%d", n))
	}
	if time.Duration(e) == 24*time.Hour {
		return "0 0 * * *"
	}
	return ""
}
