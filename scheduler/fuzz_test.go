package scheduler

import (
	"testing"
	"time"
)

// FuzzParse checks that no spec makes the parser panic or hang, and that what it
// accepts has ticks, each after the one before, in whole seconds.
func FuzzParse(f *testing.F) {
	for _, spec := range []string{
		"* * * * *", "*/5 0-3 1,15 jan-mar mon", "0 0 31 2 *", "0 0 29 2 *", "TZ=0", "CRON_TZ=UTC", "TZ=UTC ",
		"TZ=America/Sao_Paulo 0 0 * * *", "@every 1h", "@every -1h", "@daily", "every 15 minutes", "every minute",
		"never", "yearly", "@every 9223372036854775807ns", "1/9223372036854775807 * * * *", "? ? ? ? ?", ", , , , ,",
		"quarterly at 9:30 on mondays", "on feb 29 mondays", "every monday, tuesday and 13 at 23:59 in Europe/Berlin",
		"TZ=Pacific/Apia 30 2 * * *", "0 0 L,15 * friL", "0 0 * * fri-7/2,7", "*/7 * * * * *", "@quarterly in Asia/Beirut",
	} {
		f.Add(spec, int64(1_770_000_000))
	}
	f.Fuzz(func(t *testing.T, spec string, unix int64) {
		ticks, err := parse(spec)
		if err != nil || ticks == nil {
			return
		}
		// Any time in the years 1970 to 2300.
		last := time.Unix((unix&(1<<62-1))%10_413_792_000, 0)
		for range 3 {
			next := ticks.next(last)
			if !next.After(last) || next.Nanosecond() != 0 {
				t.Fatalf("spec %q after %v: next tick %v", spec, last, next)
			}
			if before := before(ticks, next.Add(time.Second)); !before.Equal(next) {
				t.Fatalf("spec %q: the tick before %v is %v", spec, next.Add(time.Second), before)
			}
			last = next
		}
		if shortest := shortestInterval(ticks); shortest < time.Second {
			t.Fatalf("spec %q: shortest interval %v", spec, shortest)
		}
	})
}
