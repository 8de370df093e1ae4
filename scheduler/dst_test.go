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
		{"a whole day", "TZ=Pacific/Apia 0 9 * * *", "2011-12-29T18:00:00Z",
			[]string{"2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"}},
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
