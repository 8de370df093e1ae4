package scheduler

import (
	"testing"
	"time"
)

// The examples of queue-run's documentation on schedules, and the five ticks after
// 2026-03-04T10:00:00Z, a Wednesday.
func TestExamplesOfQueueRun(t *testing.T) {
	for spec, want := range map[string][5]string{
		"every 15 minutes": {"03-04T10:15", "03-04T10:30", "03-04T10:45", "03-04T11:00", "03-04T11:15"},
		"at 13:37 on fridays tuesdays and thursdays": {
			"03-05T13:37", "03-06T13:37", "03-10T13:37", "03-12T13:37", "03-13T13:37"},
		"at 00:00 on dec 24":           {"12-24T00:00", "2027-12-24T00:00", "2028-12-24T00:00", "2029-12-24T00:00", "2030-12-24T00:00"},
		"quarterly at 9:30 on mondays": {"04-06T09:30", "04-13T09:30", "04-20T09:30", "04-27T09:30", "07-06T09:30"},
		"on jan feb mar only mondays tuesdays and saturdays at 9:30": {
			"03-07T09:30", "03-09T09:30", "03-10T09:30", "03-14T09:30", "03-16T09:30"},
		"daily":         {"03-05T00:00", "03-06T00:00", "03-07T00:00", "03-08T00:00", "03-09T00:00"},
		"0 12 * * *":    {"03-04T12:00", "03-05T12:00", "03-06T12:00", "03-07T12:00", "03-08T12:00"},
		"0 0 12 * * *":  {"03-04T12:00", "03-05T12:00", "03-06T12:00", "03-07T12:00", "03-08T12:00"},
		"15 4 * * *":    {"03-05T04:15", "03-06T04:15", "03-07T04:15", "03-08T04:15", "03-09T04:15"},
		"0 0 L * *":     {"03-31T00:00", "04-30T00:00", "05-31T00:00", "06-30T00:00", "07-31T00:00"},
		"0 0 * * 1L":    {"03-30T00:00", "04-27T00:00", "05-25T00:00", "06-29T00:00", "07-27T00:00"},
		"0 0 * * 7":     {"03-08T00:00", "03-15T00:00", "03-22T00:00", "03-29T00:00", "04-05T00:00"},
		"hourly":        {"03-04T11:00", "03-04T12:00", "03-04T13:00", "03-04T14:00", "03-04T15:00"},
		"every hour":    {"03-04T11:00", "03-04T12:00", "03-04T13:00", "03-04T14:00", "03-04T15:00"},
		"0 0 1,15 * *":  {"03-15T00:00", "04-01T00:00", "04-15T00:00", "05-01T00:00", "05-15T00:00"},
		"0 9 * * 1,5":   {"03-06T09:00", "03-09T09:00", "03-13T09:00", "03-16T09:00", "03-20T09:00"},
		"0 0 * * sat,0": {"03-07T00:00", "03-08T00:00", "03-14T00:00", "03-15T00:00", "03-21T00:00"},
	} {
		ticks, err := parse(spec)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		last := at("2026-03-04T10:00:00Z")
		for i, want := range want {
			if len(want) == len("03-04T10:15") {
				want = "2026-" + want
			}
			last = ticks.next(last)
			if got := last.Format("2006-01-02T15:04"); got != want || last.Second() != 0 {
				t.Errorf("%s: tick %d is %v, want %s", spec, i+1, last, want)
				break
			}
		}
	}
}

// What is told of words as fields of cron has the same ticks.
func TestWordsAsFieldsOfCron(t *testing.T) {
	for spec, want := range map[string]string{
		"quarterly at 9:30 on mondays":                               "30 9 * 1,4,7,10 1",
		"on jan feb mar only mondays tuesdays and saturdays at 9:30": "30 9 * 1,2,3 1,2,6",
		"at 00:00 on dec 24":                                         "0 0 24 12 *",
		"at 13:37 on fridays tuesdays and thursdays":                 "37 13 * * 2,4,5",
		"on 13 fridays":                                              "",
		"weekly at 9:30 in Europe/Berlin":                            "TZ=Europe/Berlin 30 9 * * 0",
		"@quarterly":                                                 "0 0 1 1,4,7,10 *",
	} {
		if got := fieldsOf(spec); got != want {
			t.Errorf("%s: got %q, want %q", spec, got, want)
		}
		if want == "" {
			continue
		}
		words, err := parse(spec)
		fields, wrong := parse(want)
		if err != nil || wrong != nil {
			t.Fatal(err, wrong)
		}
		a := time.Date(2026, time.March, 4, 10, 0, 0, 0, time.UTC)
		for range 50 {
			b := a
			if a, b = words.next(a), fields.next(b); !a.Equal(b) {
				t.Errorf("%s has the tick %v, and %s %v", spec, a, want, b)
				break
			}
		}
	}
}
