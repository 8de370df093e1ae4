package scheduler

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// TestTickOfTheSecondInWhichASpecChanges: a newer program comes in the second of a tick
// of the older one, before that has pushed it.
func TestTickOfTheSecondInWhichASpecChanges(t *testing.T) {
	mini := miniredis.RunT(t)
	rdb := redistest.Client(t, mini.Addr())
	start := at("2026-03-04T10:00:30Z")
	mini.SetTime(start)
	client := func(s Schedule) *rounds {
		c := jobs.NewClient(rdb)
		c.Handles = []jobs.Handler{Handler([]Schedule{s})}
		return newRounds(&Scheduler{Redis: rdb, Jobs: c, Schedules: []Schedule{s}, Logger: slog.New(slog.DiscardHandler)})
	}
	round := func(r *rounds) {
		t.Helper()
		if _, err := r.round(r.Jobs.Context(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	older, newer := client(New("s", "* * * * *", nothing)), client(New("s", "*/2 * * * *", nothing))
	round(older)
	mini.SetTime(start.Add(30*time.Second + 300*time.Millisecond))
	round(newer)
	round(older)
	mini.SetTime(start.Add(90 * time.Second))
	round(newer)
	round(older)
	want := []string{"s:1772618520", "s:1772618460"} // 10:02 and 10:01
	if got := rdb.LRange(t.Context(), "asynq:{schedules}:pending", 0, -1).Val(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// What was due while it was paused is dropped for both.
	if err := Pause(older.Jobs.Context(t.Context()), "s"); err != nil {
		t.Fatal(err)
	}
	mini.SetTime(start.Add(150*time.Second + 300*time.Millisecond))
	if err := Resume(older.Jobs.Context(t.Context()), "s"); err != nil {
		t.Fatal(err)
	}
	round(older)
	round(newer)
	if got := rdb.LRange(t.Context(), "asynq:{schedules}:pending", 0, -1).Val(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
