package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// These tests compare ticks with those of an evaluation that looks at every minute,
// and shares nothing with the other one.

// randomSpec is a spec and what its fields mean.
type randomSpec struct {
	text                           string
	minute, hour, day, month, week map[int]bool // nil: any
	lastDay, lastFriday, hoursGoOn bool
	openDay, openWeek              bool
}

// randomField is one field: a star, a step, a range, a list or one number.
func randomField(r *rand.Rand, low, high int) (text string, set map[int]bool) {
	set = map[int]bool{}
	pick := func() int { return low + r.IntN(high-low+1) }
	switch r.IntN(6) {
	case 0, 1:
		return "*", nil
	case 2:
		step := 2 + r.IntN((high-low)/2+1)
		for i := low; i <= high; i += step {
			set[i] = true
		}
		return fmt.Sprintf("*/%d", step), set
	case 3:
		a, b := pick(), pick()
		a, b = min(a, b), max(a, b)
		for i := a; i <= b; i++ {
			set[i] = true
		}
		return fmt.Sprintf("%d-%d", a, b), set
	case 4:
		var items []string
		for range 2 + r.IntN(3) {
			i := pick()
			set[i] = true
			items = append(items, fmt.Sprint(i))
		}
		return strings.Join(items, ","), set
	}
	i := pick()
	return fmt.Sprint(i), map[int]bool{i: true}
}

func newRandomSpec(r *rand.Rand, zone string) (s randomSpec) {
	var fields [5]string
	fields[0], s.minute = randomField(r, 0, 59)
	fields[1], s.hour = randomField(r, 0, 23)
	fields[2], s.day = randomField(r, 1, 28)
	fields[3], s.month = randomField(r, 1, 12)
	fields[4], s.week = randomField(r, 0, 7)
	if s.week != nil && s.week[7] {
		s.week[0] = true
	}
	if strings.HasPrefix(fields[2], "*/") { // the days end with the month
		fields[2], s.day = "*", nil
	}
	if strings.HasPrefix(fields[4], "*/") { // 7 is not among them
		fields[4], s.week = "*", nil
	}
	s.openDay, s.openWeek = fields[2] == "*", fields[4] == "*"
	s.hoursGoOn = strings.HasPrefix(fields[1], "*")
	if !s.openDay && r.IntN(4) == 0 {
		fields[2], s.lastDay = fields[2]+",L", true
	}
	if !s.openWeek && r.IntN(4) == 0 {
		fields[4], s.lastFriday = fields[4]+",friL", true
	}
	s.text = "TZ=" + zone + " " + strings.Join(fields[:], " ")
	return s
}

func in(set map[int]bool, i int) bool { return set == nil || set[i] }

// matches is the meaning of the fields for what a clock on the wall shows.
func (s randomSpec) matches(year int, month time.Month, day, hour, minute int) bool {
	if !in(s.minute, minute) || !in(s.hour, hour) || !in(s.month, int(month)) {
		return false
	}
	date := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	byDay := in(s.day, day) || s.lastDay && date.AddDate(0, 0, 1).Day() == 1
	byWeek := in(s.week, int(date.Weekday())) ||
		s.lastFriday && date.Weekday() == time.Friday && date.AddDate(0, 0, 7).Month() != month
	if !s.openDay && !s.openWeek {
		return byDay || byWeek
	}
	return byDay && byWeek
}

// minuteByMinute returns the ticks in a time.
func (s randomSpec) minuteByMinute(begin, end time.Time, zone *time.Location) (ticks []time.Time) {
	type shown struct {
		year, day, minute int
	}
	seen := map[shown]time.Time{}         // when the clock showed this last
	wall := func(t time.Time) time.Time { // as UTC
		l := t.In(zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	match := func(w time.Time) bool { return s.matches(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute()) }
	last := wall(begin.Add(-time.Minute))
	for t := begin; t.Before(end); t = t.Add(time.Minute) {
		w := wall(t)
		tick := match(w)
		if was := last.Add(time.Minute); !tick && was.Before(w) { // It shows w instead.
			near := max(w.Sub(was), time.Hour)
			tick = within(was, w, match) && !within(was.Add(-near), was, match) && !within(w, w.Add(near), match)
		}
		if zone != time.UTC {
			key := shown{w.Year(), w.YearDay(), w.Hour()*60 + w.Minute()}
			if before, ok := seen[key]; ok && t.Sub(before) < 12*time.Hour && !s.hoursGoOn {
				tick = false
			}
			seen[key] = t
		}
		if tick {
			ticks = append(ticks, t)
		}
		last = w
	}
	return ticks
}

// within reports whether any minute of a time matches.
func within(begin, end time.Time, match func(time.Time) bool) bool {
	for ; begin.Before(end); begin = begin.Add(time.Minute) {
		if match(begin) {
			return true
		}
	}
	return false
}

// compare checks next and before against the ticks of a time.
func (s randomSpec) compare(t *testing.T, begin, end time.Time, zone *time.Location) {
	t.Helper()
	parsed, err := parse(s.text)
	if err != nil {
		if strings.Contains(err.Error(), "never fires") && len(s.minuteByMinute(begin, end, zone)) == 0 {
			return
		}
		t.Fatalf("%s: %v", s.text, err)
	}
	last := begin.Add(-time.Second)
	for _, want := range s.minuteByMinute(begin, end, zone) {
		got := parsed.next(last)
		if !got.Equal(want) {
			t.Fatalf("%s after %v: got %v, want %v", s.text, last, got, want)
		}
		if last.After(begin) {
			if got := before(parsed, want); !got.Equal(last) {
				t.Fatalf("%s before %v: got %v, want %v", s.text, want, got, last)
			}
		}
		last = want
	}
	if got := parsed.next(last); !got.IsZero() && got.Before(end) {
		t.Fatalf("%s after %v: got %v, want none before %v", s.text, last, got, end)
	}
}

// compareInUTC compares random specs in the years from 2024 on.
func compareInUTC(t *testing.T, specs, years int) {
	r := rand.New(rand.NewPCG(1, uint64(specs)))
	begin := time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)
	for range specs {
		newRandomSpec(r, "UTC").compare(t, begin, begin.AddDate(years, 0, 0), time.UTC)
	}
}

// zones are some that change their clocks, in different ways.
var zones = []string{"America/New_York", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut", "America/Santiago", "Antarctica/Troll"}

// compareOverChanges compares random specs in the days around every change of the
// clocks in some years.
func compareOverChanges(t *testing.T, specs, firstYear, years int) {
	r := rand.New(rand.NewPCG(2, uint64(specs)))
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		last := time.Date(firstYear+years, time.January, 1, 0, 0, 0, 0, time.UTC)
		changes := 0
		for change := time.Date(firstYear, time.January, 1, 0, 0, 0, 0, time.UTC); ; {
			if _, change = change.In(zone).ZoneBounds(); change.IsZero() || change.After(last) {
				break
			}
			changes++
			for range specs {
				s := newRandomSpec(r, name)
				s.compare(t, change.Add(-36*time.Hour).UTC(), change.Add(36*time.Hour).UTC(), zone)
			}
		}
		if changes == 0 {
			t.Errorf("%s does not change its clocks", name)
		}
	}
}

func TestRandomSpecsInUTC(t *testing.T) { compareInUTC(t, 30, 1) }

func TestRandomSpecsWhenClocksChange(t *testing.T) { compareOverChanges(t, 10, 2015, 4) }

// Past the changes that a zone's table lists, package time is wrong about the last
// day of a leap year.
func TestRandomSpecsAtTheEndOfLeapYears(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, name := range zones {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for year := 2036; year <= 2096; year += 20 {
			for range 10 {
				begin := time.Date(year, time.December, 30, 6, 0, 0, 0, time.UTC)
				newRandomSpec(r, name).compare(t, begin, begin.Add(72*time.Hour), zone)
			}
		}
	}
}
