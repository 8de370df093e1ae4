package jobs

import (
	"testing"
	"time"
)

func TestAStepOfTheClockIsToldFromSilence(t *testing.T) {
	begin := time.Now()
	const shown = 1_700_000_000_000
	for _, test := range []struct {
		name  string
		asked time.Duration // since the clock was read first, which took a second
		trip  time.Duration
		shown time.Duration // since it showed what it did then
		want  time.Duration // about
	}{
		{"runs evenly", 2 * time.Second, 0, 2 * time.Second, 0},
		{"was read at the end of the first trip", 2 * time.Second, 0, time.Second, 0},
		{"is read at the end of a long trip", 2 * time.Second, 30 * time.Second, 32 * time.Second, 0},
		{"after a long silence", time.Hour, 0, time.Hour, 0},
		{"forward", 2 * time.Second, 0, time.Minute + 2*time.Second, time.Minute},
		{"forward during a silence", time.Hour, 0, 2 * time.Hour, time.Hour},
		{"back", 2 * time.Second, 0, 2*time.Second - time.Minute, -time.Minute},
		{"stands still", time.Minute, 0, 0, -time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c redisClock
			if step := c.read(shown, begin.Add(-time.Second), begin); step != 0 {
				t.Fatalf("the first time it was put forward by %v", step)
			}
			asked := begin.Add(test.asked)
			got := c.read(shown+test.shown.Milliseconds(), asked, asked.Add(test.trip))
			if (got-test.want).Abs() > 2*time.Second || (got == 0) != (test.want == 0) {
				t.Errorf("it was put forward by %v, want %v", got, test.want)
			}
		})
	}
}
