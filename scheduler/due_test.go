package scheduler

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

func nothing(context.Context) error { return nil }

func TestDueTicksByPolicy(t *testing.T) {
	const (
		minute   = "* * * * *"
		workdays = "30 9 * * mon-fri"
	)
	for _, test := range []struct {
		name       string
		spec       string
		options    []Option
		after, now string
		want       []string
		dropped    bool
	}{
		{"not yet", minute, nil, "2026-03-04T10:00:00Z", "2026-03-04T10:00:59.9Z", nil, false},
		{"now", minute, nil, "2026-03-04T10:00:00Z", "2026-03-04T10:01:00Z", []string{"2026-03-04T10:01:00Z"}, false},
		{"default: the last", minute, nil, "2026-03-04T10:00:00Z", "2026-03-04T10:10:30Z", []string{"2026-03-04T10:10:00Z"}, true},
		{"default: too long ago", workdays, nil, "2026-03-05T09:30:00Z", "2026-03-08T10:00:00Z", nil, true},
		{"default: less than an interval ago", workdays, nil, "2026-03-05T09:30:00Z", "2026-03-07T09:29:59Z", []string{"2026-03-06T09:30:00Z"}, false},
		{"Latest, however long ago", workdays, []Option{CatchUp(Latest)}, "2026-03-04T09:30:00Z", "2026-03-08T10:00:00Z", []string{"2026-03-06T09:30:00Z"}, true},
		{"Skip", minute, []Option{CatchUp(Skip)}, "2026-03-04T10:00:00Z", "2026-03-04T10:10:30Z", nil, true},
		{"Skip, a little late", minute, []Option{CatchUp(Skip)}, "2026-03-04T10:00:00Z", "2026-03-04T10:10:10Z", []string{"2026-03-04T10:10:00Z"}, true},
		{"All", minute, []Option{CatchUp(All(5))}, "2026-03-04T10:00:00Z", "2026-03-04T10:03:30Z", []string{"2026-03-04T10:01:00Z", "2026-03-04T10:02:00Z", "2026-03-04T10:03:00Z"}, false},
		{"All, the last of many", "every second", []Option{CatchUp(All(2))}, "2016-03-04T10:00:00Z", "2026-03-04T10:03:30.5Z", []string{"2026-03-04T10:03:29Z", "2026-03-04T10:03:30Z"}, true},
	} {
		s := New("s", test.spec, nothing, test.options...)
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		due, dropped := s.due(at(test.after), at(test.now))
		var got []string
		for _, d := range due {
			got = append(got, d.Format(time.RFC3339))
		}
		if !slices.Equal(got, test.want) || dropped != test.dropped {
			t.Errorf("%s: got %v and dropped %v, want %v and %v", test.name, got, dropped, test.want, test.dropped)
		}
	}
}

func TestTickBefore(t *testing.T) {
	for _, test := range []struct{ spec, t, want string }{
		{"* * * * *", "2026-03-04T10:00:00Z", "2026-03-04T09:59:00Z"},
		{"* * * * *", "2026-03-04T10:00:00.1Z", "2026-03-04T10:00:00Z"},
		{"every 15 seconds", "2026-03-04T10:00:30Z", "2026-03-04T10:00:15Z"},
		{"every 15 seconds", "2026-03-04T10:00:30.001Z", "2026-03-04T10:00:30Z"},
		{"0 0 29 2 *", "2026-03-04T10:00:30Z", "2024-02-29T00:00:00Z"},
		{"TZ=Europe/Berlin 0 9 * * *", "2026-07-01T07:00:00Z", "2026-06-30T07:00:00Z"},
	} {
		if got := before(New("s", test.spec, nothing).ticks, at(test.t)); !got.Equal(at(test.want)) {
			t.Errorf("%s before %s: got %v, want %s", test.spec, test.t, got, test.want)
		}
	}
}

func TestJitterIsTheSameEverywhereAndSpreads(t *testing.T) {
	const d = 30 * time.Second
	s, other := New("s", "* * * * *", nothing, Jitter(d)), New("other", "* * * * *", nothing, Jitter(d))
	same, differs := New("s", "*/1 * * * *", nothing, Jitter(d)), 0
	var least, most time.Duration = d, 0
	for tick := at("2026-03-04T10:00:00Z"); tick.Before(at("2026-03-04T20:00:00Z")); tick = tick.Add(time.Minute) {
		late := s.start(tick).Sub(tick)
		least, most = min(least, late), max(most, late)
		if late < 0 || late >= d || !same.start(tick).Equal(s.start(tick)) {
			t.Fatalf("tick %v begins %v later", tick, late)
		}
		if !other.start(tick).Equal(s.start(tick)) {
			differs++
		}
		if due, _ := s.due(tick.Add(-time.Minute), s.start(tick).Add(-time.Millisecond)); len(due) != 0 {
			t.Fatalf("tick %v is due before its time", tick)
		}
		if due, _ := s.due(tick.Add(-time.Minute), s.start(tick)); len(due) != 1 || !due[0].Equal(tick) {
			t.Fatalf("tick %v is not due in time: %v", tick, due)
		}
	}
	if least > d/10 || most < d*9/10 || differs < 590 {
		t.Errorf("from %v to %v late, %d of 600 ticks differ from those of another schedule", least, most, differs)
	}
}

func TestOptionsThatAreWrong(t *testing.T) {
	for want, options := range map[string][]Option{
		"Overlap(Latest): want Skip, Allow or Queue":                            {Overlap(Latest)},
		"Overlap(All(3)): want Skip, Allow or Queue":                            {Overlap(All(3))},
		"CatchUp(Allow): want Skip, Latest or All(max)":                         {CatchUp(Allow)},
		"CatchUp(Queue): want Skip, Latest or All(max)":                         {CatchUp(Queue)},
		"CatchUp(All(0)): All takes 1 to 1000":                                  {CatchUp(All(-3))},
		"CatchUp(All(1001)): All takes 1 to 1000":                               {CatchUp(All(1001))},
		"Jitter(2m0s): it is longer than the interval 1m0s":                     {Jitter(2 * time.Minute)},
		"Jitter(-1s): it is less than a millisecond":                            {Jitter(-time.Second)},
		"Retries(-1): it must be 0 or more":                                     {Retries(-1)},
		"the time-out -1s is not positive":                                      {Timeout(-time.Second)},
		"the time-out 2562047h47m16.854775807s is more than ten years":          {Timeout(math.MaxInt64)},
		"Jitter(2562047h47m16.854775807s): it is longer than the interval 1m0s": {Jitter(math.MaxInt64)},
		"Jitter(-2562047h47m16.854775808s): it is less than a millisecond":      {Jitter(math.MinInt64)},
		fmt.Sprintf("CatchUp(All(%d)): All takes 1 to 1000", math.MaxInt):       {CatchUp(All(math.MaxInt))},
		fmt.Sprintf("Retries(%d): it must be 0 or more", math.MaxInt):           {Retries(math.MaxInt)},
		"an option is nil": {nil},
	} {
		err := New("report", "* * * * *", nothing, options...).Err()
		if full := `schedule "report", spec "* * * * *": ` + want; err == nil || err.Error() != full {
			t.Errorf("got %v, want %s", err, full)
		}
	}
	if err := New("report", "never", nothing, Jitter(time.Second)).Err(); err == nil {
		t.Error("jitter of a schedule that never runs: no error")
	}
	fine := []Option{CatchUp(Skip), Overlap(Skip), CatchUp(Latest), CatchUp(All(1000)), Overlap(Allow), Overlap(Queue), Retries(3), Jitter(time.Minute)}
	if err := New("report", "* * * * *", nothing, fine...).Err(); err != nil {
		t.Error(err)
	}
}

// TestJitterEndsBeforeTheNextTick: also where a day has 23 hours and the delay may be
// longer than that.
func TestJitterEndsBeforeTheNextTick(t *testing.T) {
	day := at("2026-03-08T05:00:00Z") // that of New York
	later := 0
	for i := range 200 {
		s := New(fmt.Sprint("s", i), "TZ=America/New_York daily", nothing, Jitter(24*time.Hour))
		next := s.ticks.next(day)
		if next.Sub(day) != 23*time.Hour {
			t.Fatalf("the day has %v", next.Sub(day))
		}
		if !s.start(day).Before(next) {
			t.Errorf("the tick of %v begins at %v, and the next is at %v", day, s.start(day), next)
		}
		if due, _ := s.due(day.Add(-time.Hour), next.Add(-time.Nanosecond)); len(due) != 1 || !due[0].Equal(day) {
			t.Errorf("before the next tick, due are %v", due)
		}
		if s.start(day).Sub(day) > 12*time.Hour {
			later++
		}
	}
	if later < 50 {
		t.Errorf("only %d of 200 begin in the second half of the day", later)
	}
}

// TestLongTimeoutsAreKept: the handler of all schedules has a longer one.
func TestLongTimeoutsAreKept(t *testing.T) {
	s := New("s", "daily", nothing, Timeout(maxInterval))
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	var d time.Duration
	long := New("s", "daily", func(ctx context.Context) error {
		deadline, _ := ctx.Deadline()
		d = time.Until(deadline)
		return nil
	}, Timeout(maxInterval))
	if err := long.call(t.Context(), Run{}); err != nil || d < maxInterval-time.Hour {
		t.Errorf("got %v, %v", d, err)
	}
}
