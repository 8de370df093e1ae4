package cmd

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/queuerun/queuerun/scheduler"
)

// writeSchedules writes a table with the times in the zone of now.
func writeSchedules(w io.Writer, list []scheduler.Status, now time.Time) {
	if len(list) == 0 {
		fmt.Fprintln(w, "This program has no schedules.")
		return
	}
	zone, _ := now.Zone()
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, strings.Join([]string{"NAME", "SPEC", "CRON", "NEXT (" + zone + ")", "LAST RUN", "RESULT", "TOOK", "PAUSED"}, "\t"))
	for _, s := range list {
		cells := []string{s.Name, s.Spec, s.Cron, nextTicks(s.Next, now.Location()), "", "", "", ""}
		if last := s.Last; last != nil {
			cells[4] = dateAndTime(last.Run.At.In(now.Location()))
			cells[5] = string(last.Result)
			cells[6] = last.Took.Round(precision(last.Took)).String()
		}
		if !s.Paused.IsZero() {
			cells[7] = "since " + dateAndTime(s.Paused.In(now.Location()))
		}
		for i, cell := range cells {
			if cells[i] = printable(cell); cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	table.Flush()
}

// nextTicks writes times in a row, a date only where it changes.
func nextTicks(ticks []time.Time, zone *time.Location) string {
	var texts []string
	last := ""
	for _, tick := range ticks {
		tick = tick.In(zone)
		text := dateAndTime(tick)
		if date := tick.Format(time.DateOnly); date == last {
			text = strings.TrimPrefix(text, date+" ")
		} else {
			last = date
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// dateAndTime leaves out seconds that say nothing.
func dateAndTime(t time.Time) string {
	if t.Second() == 0 {
		return t.Format("2006-01-02 15:04")
	}
	return t.Format(time.DateTime)
}

// precision is how exactly people want to know a duration.
func precision(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return time.Second
	case d >= time.Second:
		return 10 * time.Millisecond
	case d >= time.Millisecond:
		return 100 * time.Microsecond
	default:
		return time.Microsecond
	}
}
