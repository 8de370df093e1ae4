package scheduler

import (
	"slices"
	"testing"
	"time"
	_ "time/tzdata" // the tests need the same rules everywhere
)

func TestClocksThatChange(t *testing.T) {
	for _, test := range []struct {
		what, spec, from string
		want             []string
	}{
		{"a time that does not exist is at the end of the gap", "TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"several of them are one", "TZ=Europe/Berlin 0,15,30 2 * * *", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		{"also with a tick there", "TZ=Europe/Berlin 0,30 2,3 * * *", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z"}},
		{"a time that comes twice is the first", "TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		{"a list of hours is no step", "TZ=Europe/Berlin 30 1,2,3 * * *", "2026-10-24T23:00:00Z",
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z"}},
		{"every hour goes on", "TZ=Europe/Berlin 30 * * * *", "2026-10-24T23:00:00Z",
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		{"so does a range with a step", "TZ=Europe/Berlin 30 1-3/1 * * *", "2026-10-24T23:00:00Z",
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		{"so does every second hour", "TZ=America/New_York 0 */1 * * *", "2026-11-01T04:30:00Z",
			[]string{"2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"}},
		{"every hour has no extra run after a gap", "TZ=America/New_York 0 * * * *", "2026-03-08T05:30:00Z",
			[]string{"2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"}},
		{"the first hour of a day that comes twice after the last match", "TZ=Asia/Beirut 0 * * oct sat", "2017-10-28T20:00:00Z",
			[]string{"2017-10-28T21:00:00Z", "2018-10-05T21:00:00Z"}},
		{"from within the repeated hour", "TZ=Europe/Berlin 30 2 * * *", "2026-10-25T01:10:00Z",
			[]string{"2026-10-26T01:30:00Z"}},
		{"a midnight that is skipped", "TZ=America/Sao_Paulo daily", "2018-11-03T12:00:00Z",
			[]string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		{"half an hour", "TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T00:00:00Z",
			[]string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		{"half an hour twice", "TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-04T00:00:00Z",
			[]string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		{"an hour that one of every hour does not miss", "TZ=America/New_York 45 * * * *", "2026-03-08T05:50:00Z",
			[]string{"2026-03-08T06:45:00Z", "2026-03-08T07:45:00Z"}},
		{"nor one of every half hour", "TZ=America/New_York 15,45 * * * *", "2026-03-08T06:30:00Z",
			[]string{"2026-03-08T06:45:00Z", "2026-03-08T07:15:00Z"}},
		{"nor one of every ten minutes", "TZ=America/New_York 5-59/10 * * * *", "2026-03-08T06:50:00Z",
			[]string{"2026-03-08T06:55:00Z", "2026-03-08T07:05:00Z"}},
		{"nor one of every second", "TZ=America/New_York * * * * * *", "2026-03-08T06:59:58Z",
			[]string{"2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z", "2026-03-08T07:00:01Z"}},
		{"nor one with the hour before", "TZ=America/New_York 30 1,2 * * *", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08T06:30:00Z", "2026-03-09T05:30:00Z"}},
		{"nor one with the hour after", "TZ=America/New_York 30 2,3 * * *", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"}},
		{"nor one with both", "TZ=America/New_York 30 1,2,3 * * *", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08T06:30:00Z", "2026-03-08T07:30:00Z"}},
		{"the last second of the hour before is near", "TZ=America/New_York 0 0 1,2 * * *", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08T06:00:00Z", "2026-03-09T05:00:00Z"}},
		{"what is farther away than that is not", "TZ=America/New_York 59,30 59,30 0,2,4 * * *", "2026-03-08T05:59:58Z",
			[]string{"2026-03-08T05:59:59Z", "2026-03-08T07:00:00Z", "2026-03-08T08:30:30Z"}},
		{"every second hour that the gap is in", "TZ=America/New_York 30 */2 * * *", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08T05:30:00Z", "2026-03-08T07:00:00Z", "2026-03-08T08:30:00Z"}},
		{"seconds in the gap", "TZ=America/New_York 15 30 2 * * *", "2026-03-08T05:00:00Z",
			[]string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:15Z"}},
		{"half an hour that one of every hour misses", "TZ=Australia/Lord_Howe 15 * * * *", "2026-10-03T14:00:00Z",
			[]string{"2026-10-03T14:45:00Z", "2026-10-03T16:15:00Z"}},
		{"two hours", "TZ=Antarctica/Troll 30 2 * * *", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		{"two hours that one of every hour does not miss", "TZ=Antarctica/Troll 30 * * * *", "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
		{"a whole day that the day before is near to", "TZ=Pacific/Apia 0 9 * * *", "2011-12-29T18:00:00Z",
			[]string{"2011-12-29T19:00:00Z", "2011-12-30T19:00:00Z"}},
		{"a whole day of the month", "TZ=Pacific/Apia 0 9 30 * *", "2011-12-29T18:00:00Z",
			[]string{"2011-12-30T10:00:00Z", "2012-01-29T19:00:00Z"}},
		{"a whole day, elsewhere", "TZ=Pacific/Kwajalein 0 9 * * sat", "1993-08-19T18:00:00Z",
			[]string{"1993-08-21T12:00:00Z", "1993-08-27T21:00:00Z"}},
		{"some minutes and seconds", "TZ=Europe/Berlin 3 0 1 4 *", "1893-03-01T00:00:00Z",
			[]string{"1893-03-31T23:06:32Z", "1894-03-31T23:03:00Z"}},
		{"the last day of a leap year that no zone's table lists", "TZ=America/New_York daily", "2040-12-30T12:00:00Z",
			[]string{"2040-12-31T05:00:00Z", "2041-01-01T05:00:00Z", "2041-01-02T05:00:00Z"}},
		{"and who looks beyond it", "TZ=America/New_York yearly", "2040-02-01T00:00:00Z",
			[]string{"2041-01-01T05:00:00Z", "2042-01-01T05:00:00Z"}},
		{"a midnight that comes twice", "TZ=America/Sao_Paulo 30 23 * * *", "2018-02-17T12:00:00Z",
			[]string{"2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"}},
	} {
		ticks, err := parse(test.spec)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for last := at(test.from); len(got) < len(test.want); {
			last = ticks.next(last)
			got = append(got, last.Format(time.RFC3339))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s, %s: got %v, want %v", test.what, test.spec, got, test.want)
		}
	}
}
