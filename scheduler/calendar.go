package scheduler

import (
	"math/bits"
	"time"
)

// calendar are the times of a spec that names them by fields of the calendar. Each
// set has a bit for every value that matches.
type calendar struct {
	second, minute, hour, day, month, weekday uint64

	lastDay      bool   // the last day of a month matches as well
	lastWeekdays uint64 // so do the last of these weekdays in a month
	eitherDay    bool   // day or weekday: one of them will do, as in cron
	everyHour    bool   // the hours are every or every nth one

	zone *time.Location
	text string // the same as fields of cron, or ""
}

func (c calendar) fields() string { return c.text }

// next goes through the periods between the changes of the zone's clock, in each of
// which it runs evenly. A time that a change skips is at the end of the gap; one that
// comes twice is the first of the two, unless the hours go on and on.
func (c calendar) next(t time.Time) time.Time {
	last := t.AddDate(maxYears, 0, 0)
	for since := t; since.Before(last); {
		begin, end := since.In(c.zone).ZoneBounds()
		offset := offsetAt(since, c.zone)
		after := wallClock(since, offset)
		if since.After(t) {
			after = after.Add(-time.Second)
		}
		if !begin.IsZero() {
			before := offsetAt(begin.Add(-time.Second), c.zone)
			was, is := wallClock(begin, before), wallClock(begin, offset)
			if begin.After(t) && c.madeUp(was, is) {
				return begin.UTC()
			}
			if !c.everyHour && was.After(is) && after.Before(was) {
				after = was.Add(-time.Second)
			}
		}
		if !end.IsZero() && !end.After(since) {
			// Past the changes that a zone's table lists, ZoneBounds takes every year for
			// one of 365 days: on the last day of a leap year the period has ended already.
			end = since.Add(time.Hour)
		}
		if end.IsZero() || end.After(last) {
			end = last
		}
		if wall := c.matching(after, wallClock(end, offset)); !wall.IsZero() {
			return wall.Add(-time.Duration(offset) * time.Second)
		}
		since = end
	}
	return time.Time{}
}

// madeUp tells whether something that does not exist, between two times of the wall
// clock, runs at the end of the gap. It does unless there is a tick near enough before
// or after it: the gap, and every gap is taken for an hour at least, would be filled
// by a tick of one who runs again and again.
func (c calendar) madeUp(was, is time.Time) bool {
	near := max(is.Sub(was), time.Hour)
	between := func(begin, end time.Time) bool { return !c.matching(begin.Add(-time.Second), end).IsZero() }
	return between(was, is) && !between(was.Add(-near), was) && !between(is, is.Add(near))
}

// offsetAt is how many seconds the zone is ahead of UTC.
func offsetAt(t time.Time, zone *time.Location) int {
	_, offset := t.In(zone).Zone()
	return offset
}

// wallClock is what a clock shows, as a time in UTC.
func wallClock(t time.Time, offset int) time.Time {
	return t.UTC().Truncate(time.Second).Add(time.Duration(offset) * time.Second)
}

// maxYears is how far apart two ticks may be: a Monday that is the 29th of February
// comes every 28 years, or 40 when a century has no such day.
const maxYears = 41

// matching returns the first time after a time and before another one that matches,
// by a clock that runs evenly, or the zero time if none does.
func (c calendar) matching(after, before time.Time) time.Time {
	t := after.Add(time.Second)
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	for date := t; date.Before(before); {
		switch {
		case c.month&(1<<uint(month)) == 0:
			date = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		default:
			if c.matchesDay(year, month, day) {
				if h, m, s, ok := c.timeOfDay(hour, minute, second); ok {
					return earlier(time.Date(year, month, day, h, m, s, 0, time.UTC), before)
				}
			}
			date = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		}
		year, month, day = date.Date()
		hour, minute, second = 0, 0, 0
	}
	return time.Time{}
}

// earlier returns t if it is before a time, and else the zero time.
func earlier(t, before time.Time) time.Time {
	if t.Before(before) {
		return t
	}
	return time.Time{}
}

func (c calendar) matchesDay(year int, month time.Month, day int) bool {
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	left := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day() - day // in the month
	weekday := uint64(1) << uint(date.Weekday())
	byDay := c.day&(1<<uint(day)) != 0 || c.lastDay && left == 0
	byWeekday := c.weekday&weekday != 0 || left < 7 && c.lastWeekdays&weekday != 0
	if c.eitherDay {
		return byDay || byWeekday
	}
	return byDay && byWeekday
}

// timeOfDay returns the first time of a day that matches and is not before a time.
func (c calendar) timeOfDay(hour, minute, second int) (h, m, s int, ok bool) {
	for h := from(c.hour, hour); h < 24; h = from(c.hour, h+1) {
		if h > hour {
			minute, second = 0, 0
		}
		for m := from(c.minute, minute); m < 60; m = from(c.minute, m+1) {
			if m > minute {
				second = 0
			}
			if s := from(c.second, second); s < 60 {
				return h, m, s, true
			}
		}
	}
	return 0, 0, 0, false
}

// from returns the smallest value in a set that is at least v, or 64.
func from(set uint64, v int) int {
	return min(64, v+bits.TrailingZeros64(set>>uint(v)))
}
