package scheduler

import (
	"context"
	"strings"
	"testing"
	"time"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestNextTick(t *testing.T) {
	for _, test := range []struct{ spec, from, want string }{
		{"*/15 * * * *", "2026-03-04T10:07:30Z", "2026-03-04T10:15:00Z"},
		{"30 9 * * mon-fri", "2026-03-06T09:30:00Z", "2026-03-09T09:30:00Z"},
		{"0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"@hourly", "2026-03-04T10:00:00Z", "2026-03-04T11:00:00Z"},
		{"@midnight", "2026-03-04T10:00:00Z", "2026-03-05T00:00:00Z"},
		{"hourly", "2026-03-04T10:59:59Z", "2026-03-04T11:00:00Z"},
		{"daily", "2026-03-04T10:00:00Z", "2026-03-05T00:00:00Z"},
		{"weekly", "2026-03-04T10:00:00Z", "2026-03-08T00:00:00Z"},
		{"monthly", "2026-03-04T10:00:00Z", "2026-04-01T00:00:00Z"},
		{"yearly", "2026-03-04T10:00:00Z", "2027-01-01T00:00:00Z"},
		{"@every 90s", "1970-01-01T00:00:00Z", "1970-01-01T00:01:30Z"},
		{"@every 90s", "1970-01-01T00:02:59Z", "1970-01-01T00:03:00Z"},
		{"@every 1h", "1969-12-31T23:30:00Z", "1970-01-01T00:00:00Z"},
		{"every second", "2026-03-04T10:00:00.25Z", "2026-03-04T10:00:01Z"},
		{"every minute", "2026-03-04T10:00:00Z", "2026-03-04T10:01:00Z"},
		{"every 1 minute", "2026-03-04T10:00:00Z", "2026-03-04T10:01:00Z"},
		{"every 15 minutes", "2026-03-04T10:07:30Z", "2026-03-04T10:15:00Z"},
		{"every 2 hours", "2026-03-04T10:00:00Z", "2026-03-04T12:00:00Z"},
		{"every day", "2026-03-04T10:00:00Z", "2026-03-05T00:00:00Z"},
		{"  every   5   seconds ", "2026-03-04T10:00:01Z", "2026-03-04T10:00:05Z"},
		{"TZ=Europe/Berlin 0 9 * * *", "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"},
		{"CRON_TZ=Asia/Kolkata daily", "2026-07-01T00:00:00Z", "2026-07-01T18:30:00Z"},
		{"@quarterly", "2026-03-04T10:00:00Z", "2026-04-01T00:00:00Z"},
		{"30 0 9 * * *", "2026-03-04T09:00:00Z", "2026-03-04T09:00:30Z"},
		{"*/20 * * * * *", "2026-03-04T09:00:40Z", "2026-03-04T09:01:00Z"},
		{"0 0 * * 7", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * 5-7", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * fri-7/2", "2026-03-06T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 L * *", "2026-02-04T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"0 0 L 2 *", "2027-03-04T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 15,L * *", "2026-02-15T00:00:00Z", "2026-02-28T00:00:00Z"},
		{"0 0 * * friL", "2026-02-04T00:00:00Z", "2026-02-27T00:00:00Z"},
		{"0 0 * * 7L", "2026-02-04T00:00:00Z", "2026-02-22T00:00:00Z"},
		{"0 0 13 * fri", "2026-03-07T00:00:00Z", "2026-03-13T00:00:00Z"},
		{"0 0 14 * fri", "2026-03-07T00:00:00Z", "2026-03-13T00:00:00Z"},  // either
		{"on 13 fridays", "2026-03-14T00:00:00Z", "2026-11-13T00:00:00Z"}, // both
		{"on feb 29 mondays", "2026-03-14T00:00:00Z", "2044-02-29T00:00:00Z"},
		{"on feb 29 mondays", "2072-03-01T00:00:00Z", "2112-02-29T00:00:00Z"},
		{"yearly on dec 24 at 18:00", "2026-03-14T00:00:00Z", "2026-12-24T18:00:00Z"},
		{"Every Monday at 9:30", "2026-03-04T00:00:00Z", "2026-03-09T09:30:00Z"},
		{"every day at 9:30 in Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T07:30:00Z"},
		{"every day in Europe/Berlin", "2026-07-01T00:00:00Z", "2026-07-01T22:00:00Z"},
		{"TZ=UTC   @daily", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"},
		{"0 0 * * mon-sun", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * sat-sun", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * sat-sun", "2026-03-08T00:00:00Z", "2026-03-14T00:00:00Z"},
		{"0 0 * * Fri-Sun/2", "2026-03-06T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * sun-sun", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * 7-2", "2026-03-10T00:00:00Z", "2026-03-15T00:00:00Z"},
		{"0 0 * * 7-7", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"},
		{"0 0 * * 0-7", "2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z"},
		{"*/60 * * * *", "2026-03-04T00:00:00Z", "2026-03-04T01:00:00Z"},
		{"tz=UTC daily", "2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"},
		{"cron_tz=europe/berlin 0 9 * * *", "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z"},
		{"daily IN AMERICA/PORT_OF_SPAIN", "2026-07-01T00:00:00Z", "2026-07-01T04:00:00Z"},
	} {
		ticks, err := parse(test.spec)
		if err != nil {
			t.Errorf("%s: %v", test.spec, err)
			continue
		}
		got := ticks.next(at(test.from))
		if !got.Equal(at(test.want)) || got.Location() != time.UTC {
			t.Errorf("%s after %s: got %v, want %s", test.spec, test.from, got, test.want)
		}
	}
}

func TestTicksAreUTCWhateverTheLocalZone(t *testing.T) {
	ticks, err := parse("0 9 * * *")
	if err != nil {
		t.Fatal(err)
	}
	from := at("2026-03-04T00:00:00Z").In(time.FixedZone("east", 5*3600))
	if got := ticks.next(from); !got.Equal(at("2026-03-04T09:00:00Z")) {
		t.Errorf("got %v", got)
	}
}

func TestWrongSpecIsAnErrorThatShowsNameAndSpec(t *testing.T) {
	for spec, want := range map[string]string{
		"":                               "empty",
		"   ":                            "empty",
		"* * * *":                        "column 1: 4 fields",
		"* * * * * * *":                  "column 1: 7 fields",
		"60 * * * *":                     "column 1: minute: ",
		"5 24 * * *":                     "column 3: hour: ",
		"TZ=UTC 0  0 32 * *":             "column 13: day of the month: ",
		"0 0 * * fri-tue":                "column 9: day of the week: ",
		"0 0 * * 1-7/0":                  "column 9: ",
		"0 0 * * L":                      "column 9: ",
		"0 0 * * 8L":                     "column 9: ",
		"0 0 L-3 * *":                    "column 5: day of the month: ",
		"every 15 minutes in Mars/Base":  "column 21: time zone",
		"TZ=Europe/Berlin every 2 hours": "column 18: an interval",
		"daily at 25:00":                 "column 10: ",
		"daily at 9":                     "column 10: ",
		"daily at":                       "column 7: no time follows",
		"daily at 9:30 at 10:30":         "column 15: a second time",
		"hourly at 9:30":                 "column 8: hourly",
		"daily on":                       "column 7: no days",
		"on mondays and mondays":         "column 16: ",
		"on moondays at 9:30":            "column 4: ",
		"monthly on feb":                 "column 1: ",
		"on feb 30":                      "never fires",
		"on 32":                          "column 4: ",
		"weekly mondays":                 "column 8: ",
		"daily in UTC in UTC":            "two time zones",
		", * * * *":                      "column 1: minute: the list",
		"*-5 * * * *":                    `column 1: minute: "*" is none of 0 to 59`,
		"0 *-99 * * *":                   `column 3: hour: "*" is`,
		"0 0 ?-7 * *":                    `column 5: day of the month: "?" is`,
		"*-5/10 * * * *":                 `column 1: minute: "*" is`,
		"1-* * * * *":                    `column 1: minute: "*" is`,
		"1-2-3 * * * *":                  `column 1: minute: "2-3" is`,
		"-5 * * * *":                     `column 1: minute: "" is`,
		"5- * * * *":                     `column 1: minute: "" is`,
		"** * * * *":                     `column 1: minute: "**" is`,
		"0 1, * * *":                     "column 5: hour: the list",
		"0 ,1 * * *":                     "column 3: hour: the list",
		"0 1,,2 * * *":                   "column 5: hour: the list",
		"0 0 L, * *":                     "column 7: day of the month: the list",
		"0 0 * * friL,":                  "column 14: day of the week: the list",
		"0 0 L/2 * *":                    `column 5: day of the month: "L" is`,
		"0 +5 * * *":                     `column 3: hour: "+5" is`,
		"0 +5L * * *":                    "column 3: hour: ",
		"0 0 * * +5L":                    "column 9: day of the week: ",
		"*/+5 * * * *":                   `column 1: minute: the step "+5" is not`,
		"*/-5 * * * *":                   `column 1: minute: the step "-5" is not`,
		"*/ * * * *":                     `column 1: minute: the step "" is not`,
		"*/5/5 * * * *":                  `column 1: minute: the step "5/5" is not`,
		"*/0 * * * *":                    `column 1: minute: the step "0" is not`,
		"*/90 * * * *":                   "column 1: minute: the step 90 is larger than its range, which has 60 values",
		"0 */25 * * *":                   "column 3: hour: the step 25 is larger",
		"0 0 */32 * *":                   "column 5: day of the month: the step 32 is larger",
		"0 0 1 */13 *":                   "column 7: month: the step 13 is larger",
		"0 0 * * */8":                    "column 9: day of the week: the step 8 is larger",
		"7,10-20/12 * * * *":             "column 3: minute: the step 12 is larger",
		"50/20 * * * *":                  "column 1: minute: the step 20 is larger than its range, which has 10 values",
		"1,2,60 * * * *":                 `column 5: minute: "60" is`,
		"0 0 * jan,foo *":                `column 11: month: "foo" is`,
		"0 0 * 0 *":                      `column 7: month: "0" is`,
		"0 0 0 * *":                      `column 5: day of the month: "0" is`,
		"0 0 * * sunday":                 `column 9: day of the week: "sunday" is`,
		"0 0 * * sat-fri":                "column 9: day of the week: the range",
		"5-1 * * * *":                    "column 1: minute: the range",
		"tz=utc Tz=utc daily":            "column 8: the spec has two time zones",
		"tz=local daily":                 "not a time zone",
		"0 9 * * * in local":             "not a time zone",
		"0 0 31 2 *":                     "never fires",
		"0 0 30,31 feb *":                "never fires",
		"TZ=0":                           "time zone",
		"CRON_TZ=UTC":                    "nothing follows the time zone",
		"CRON_TZ=UTC ":                   "nothing follows the time zone",
		"TZ= * * * * *":                  "not a time zone",
		"TZ=Local * * * * *":             "not a time zone",
		"TZ=Mars/Olympus * * * * *":      "time zone",
		"TZ=../Europe/Berlin daily":      "time zone",
		"TZ=UTC CRON_TZ=UTC":             "two time zones",
		"TZ=UTC TZ=UTC daily":            "two time zones",
		"TZ=UTC never":                   "",
		"hourly daily":                   `column 8: unexpected "daily"`,
		"sometimes":                      "",
		"@sometimes":                     "unrecognized descriptor",
		"@every":                         `want "@every"`,
		"@every never":                   "invalid duration",
		"@every 0s":                      "whole seconds",
		"@every -5m":                     "whole seconds",
		"@every 500ms":                   "whole seconds",
		"@every 1500ms":                  "whole seconds",
		"every":                          `want "every"`,
		"every 0 minutes":                "above zero",
		"every -1 minutes":               "above zero",
		"every +1 minutes":               "above zero",
		"every 1.5 hours":                "above zero",
		"every 15 minute":                `want "minutes"`,
		"every minutes":                  "unknown unit",
		"every 3 fortnights":             "unknown unit",
		"every 5 minutes and 2 seconds":  `want "every"`,
		"every 2147483647 days":          "ten years",
		"every 99999999999999 seconds":   "above zero",
	} {
		s := New("report", spec, func(context.Context) error { return nil })
		switch err := s.Err(); {
		case err == nil:
			t.Errorf("%q: no error", spec)
		case !strings.Contains(err.Error(), want),
			!strings.Contains(err.Error(), `schedule "report"`),
			!strings.Contains(err.Error(), `"`+spec+`"`):
			t.Errorf("%q: got %q, want it to name schedule and spec, and to say %q", spec, err, want)
		}
	}
}

func TestNeverHasNoTicks(t *testing.T) {
	for _, spec := range []string{"never", "Never", " NEVER "} {
		s := New("cleanup", spec, func(context.Context) error { return nil })
		if s.Err() != nil || s.ticks != nil {
			t.Errorf("%q: got error %v and ticks %v", spec, s.Err(), s.ticks)
		}
		if s.timeout != 5*time.Minute {
			t.Errorf("%q: time-out %v", spec, s.timeout)
		}
	}
}

// Any white space is one character, and one of several bytes is one as well.
func TestColumnOfAnErrorCountsCharacters(t *testing.T) {
	for spec, want := range map[string]string{
		"0\t60 * * *":              "column 3: hour",
		"0\t\t0 32 * *":            "column 6: day of the month",
		"0 0\t1\tfoo *":            "column 7: month",
		"\t 0\n0 0 1 1":            "column 7: day of the month",
		"tz=utc\u00a0\t0 24 * * *": "column 11: hour",
		"daily at\tnoon":           "column 10: ",
		"é * * * 9":                "column 1: minute",
		strings.Repeat("1,", 600):  "at most 1024 bytes",
		"1 * * * *\xff":            "of UTF-8",
	} {
		if _, err := parse(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", spec, err, want)
		}
	}
}

func TestDefaultTimeoutIsFiveMinutesOrTheShortestInterval(t *testing.T) {
	nothing := func(context.Context) error { return nil }
	for spec, want := range map[string]time.Duration{
		"every 10 seconds":             10 * time.Second,
		"* * * * *":                    time.Minute,
		"every 5 minutes":              5 * time.Minute,
		"hourly":                       5 * time.Minute,
		"0,10,20,30,57 * * * *":        3 * time.Minute,
		"58,59 0 1 1 *":                time.Minute,
		"TZ=Europe/Berlin */2 * * * *": 2 * time.Minute,
		"yearly":                       5 * time.Minute,
	} {
		if got := New("s", spec, nothing).timeout; got != want {
			t.Errorf("%s: got %v, want %v", spec, got, want)
		}
	}
	if got := New("s", "every 10 seconds", nothing, Timeout(time.Hour)).timeout; got != time.Hour {
		t.Errorf("Timeout(1h): got %v", got)
	}
}

func TestCheckFindsWhatIsWrong(t *testing.T) {
	nothing := func(context.Context) error { return nil }
	for _, test := range []struct {
		want      string
		schedules []Schedule
	}{
		{"", nil},
		{"", []Schedule{New("a", "daily", nothing), New("b", "daily", nothing)}},
		{`two schedules are named "a"`, []Schedule{New("a", "daily", nothing), New("a", "never", nothing)}},
		{"1 to 128 bytes", []Schedule{New("", "daily", nothing)}},
		{"1 to 128 bytes", []Schedule{New(strings.Repeat("x", 129), "daily", nothing)}},
		{"control characters", []Schedule{New("a\nb", "daily", nothing)}},
		{"its function is nil", []Schedule{New("a", "daily", nil)}},
		{"not positive", []Schedule{New("a", "daily", nothing, Timeout(0))}},
		{"New did not make", []Schedule{{}}},
	} {
		err := Check(test.schedules)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}
