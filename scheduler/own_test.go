package scheduler

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
)

// nextFunc is a schedule of a program's own.
type nextFunc func(time.Time) time.Time

func (f nextFunc) Next(t time.Time) time.Time { return f(t) }

// labelled is one that has a name.
type labelled struct {
	nextFunc
	name func() string
}

func (n labelled) String() string { return n.name() }

// days are ticks at certain times.
type days []time.Time

func (d days) Next(t time.Time) time.Time {
	for _, day := range d {
		if day.After(t) {
			return day
		}
	}
	return time.Time{}
}

func parsed(t *testing.T, spec string) cron.Schedule {
	t.Helper()
	schedule, err := cron.ParseStandard(spec)
	if err != nil {
		t.Fatal(err)
	}
	return schedule
}

func TestOnTakesSchedulesOfCron(t *testing.T) {
	now := at("2026-03-04T10:07:30Z")
	for _, test := range []struct {
		schedule cron.Schedule
		spec     string
		want     []string
	}{
		{parsed(t, "*/15 * * * *"), "*cron.SpecSchedule ", []string{"2026-03-04T10:15:00Z", "2026-03-04T10:30:00Z", "2026-03-04T10:45:00Z"}},
		{parsed(t, "TZ=Asia/Kolkata 0 9 * * *"), "*cron.SpecSchedule ", []string{"2026-03-05T03:30:00Z", "2026-03-06T03:30:00Z", "2026-03-07T03:30:00Z"}},
		{cron.Every(90 * time.Second), "@every 1m30s", []string{"2026-03-04T10:09:00Z", "2026-03-04T10:10:30Z", "2026-03-04T10:12:00Z"}},
		{days{at("2026-03-04T10:07:30Z"), at("2026-04-01T12:00:00.25Z")}, "scheduler.days ", []string{"2026-04-01T12:00:01Z"}},
		{labelled{days{at("2026-04-01T12:00:00Z")}.Next, func() string { return "on fool's day" }}, "on fool's day", []string{"2026-04-01T12:00:00Z"}},
	} {
		s := On("report", test.schedule, nothing)
		if s.Err() != nil {
			t.Error(s.Err())
			continue
		}
		if !strings.HasPrefix(s.Spec(), test.spec) {
			t.Errorf("got spec %q, want %q", s.Spec(), test.spec)
		}
		var got []string
		for _, tick := range s.Status(now).Next {
			got = append(got, tick.Format(time.RFC3339Nano))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", s.Spec(), got, test.want)
		}
		if told := s.toldTicks(now); told != "" && !slices.EqualFunc(readTold(told, now), test.want, func(a time.Time, b string) bool { return a.Equal(at(b)) }) {
			t.Errorf("%s: told %q", s.Spec(), told)
		}
	}
}

// The spec tells one schedule from another, and is the same in every process.
func TestSpecOfAnOwnSchedule(t *testing.T) {
	spec := func(schedule cron.Schedule) string { return On("s", schedule, nothing).Spec() }
	if a, b := spec(parsed(t, "0 9 * * *")), spec(parsed(t, "0 9 * * *")); a != b {
		t.Errorf("%q is not %q", a, b)
	}
	if a, b := spec(parsed(t, "0 9 * * *")), spec(parsed(t, "0 10 * * *")); a == b {
		t.Errorf("%q for both", a)
	}
}

func TestOnRefusesWhatWouldStopOrSpin(t *testing.T) {
	var null *cron.SpecSchedule
	hourly := func(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }
	for want, schedule := range map[string]cron.Schedule{
		"its schedule is nil":  nil,
		"panicked: runtime":    null,
		"panicked: no coffee":  nextFunc(func(time.Time) time.Time { panic("no coffee") }),
		"ended its goroutine":  nextFunc(func(time.Time) time.Time { runtime.Goexit(); return time.Time{} }),
		"it never fires":       days{},
		"returned 2000":        nextFunc(func(t time.Time) time.Time { return t }),
		"returned 1999":        nextFunc(func(t time.Time) time.Time { return t.Add(-time.Hour) }),
		"returned 12000":       nextFunc(func(t time.Time) time.Time { return t.AddDate(10000, 0, 0) }),
		"the ticks depend":     nextFunc(func(t time.Time) time.Time { return t.Add(time.Minute) }),
		"String panicked: tea": labelled{hourly, func() string { panic("tea") }},
		"returned 0 bytes":     labelled{hourly, func() string { return "" }},
		"returned 3 bytes":     labelled{hourly, func() string { return "a\nb" }},
		"returned 1025 bytes":  labelled{hourly, func() string { return strings.Repeat("x", 1025) }},
		"whole seconds":        cron.ConstantDelaySchedule{Delay: time.Millisecond},
	} {
		err := On("report", schedule, nothing).Err()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"report"`) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if err := On("", days{reference.Add(time.Hour)}, nothing).Err(); err == nil {
		t.Error("no name: no error")
	}
	if err := On("s", days{reference.Add(time.Hour)}, nil).Err(); err == nil {
		t.Error("no function: no error")
	}
}

// A schedule that turns bad later neither spins nor stops: it has no ticks then.
func TestOwnScheduleThatFailsLater(t *testing.T) {
	bad := at("2026-03-04T10:00:00Z")
	for _, fail := range []func(time.Time) time.Time{
		func(t time.Time) time.Time { return t },
		func(t time.Time) time.Time { return t.Add(-time.Hour) },
		func(time.Time) time.Time { panic("later") },
		func(time.Time) time.Time { runtime.Goexit(); return time.Time{} },
	} {
		s := On("s", nextFunc(func(t time.Time) time.Time {
			if t.Before(bad) {
				return t.Truncate(time.Minute).Add(time.Minute)
			}
			return fail(t)
		}), nothing, CatchUp(All(5)))
		if s.Err() != nil {
			t.Fatal(s.Err())
		}
		p := &plan{Schedule: s}
		now := bad.Add(30 * time.Second)
		if due, _ := p.due(bad.Add(-2*time.Minute), now); len(due) != 2 || !due[1].Equal(bad) {
			t.Errorf("got %v", due)
		}
		p.settle(record{known: true, from: bad.Add(-time.Minute)}, now)
		if p.over || p.fault == nil || !p.start.Equal(now.Add(ownDelay)) {
			t.Errorf("over %v, fault %v, looked at again at %v", p.over, p.fault, p.start)
		}
	}
}
