package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/robfig/cron/v3"
)

// TestFieldsAreReadAsCronDoes: where robfig/cron accepts a field too, both read the
// same of it.
func TestFieldsAreReadAsCronDoes(t *testing.T) {
	parser := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	const star = 1 << 63 // with which it marks a field that is open
	r := rand.New(rand.NewPCG(4, 4))
	both := 0
	for range 20_000 {
		i := r.IntN(len(fieldValues))
		text := randomText(r, fieldValues[i])
		got, err := fieldValues[i].read(word{text, 1})
		if err != nil {
			continue // It accepts more.
		}
		all := []string{"*", "*", "*", "*", "*", "*"}
		all[i] = text
		schedule, err := parser.Parse(strings.Join(all, " "))
		if err != nil {
			continue // It knows no L, and no 7.
		}
		both++
		s := schedule.(*cron.SpecSchedule)
		want := [...]uint64{s.Second, s.Minute, s.Hour, s.Dom, s.Month, s.Dow}[i]
		if got.set != want&^star || got.open != (want&star != 0) || got.lasts != 0 {
			t.Errorf("%s %q: got %+v, want %x", fieldValues[i].what, text, got, want)
		}
	}
	if both < 5_000 {
		t.Errorf("both accept %d fields only", both)
	}
}

// randomText is a list of up to three items, right or wrong.
func randomText(r *rand.Rand, v values) string {
	value := func() string {
		if len(v.names) > 0 && r.IntN(2) == 0 {
			return strings.ToUpper(v.names[r.IntN(len(v.names))])
		}
		return fmt.Sprint(r.IntN(v.last + 2))
	}
	items := make([]string, 1+r.IntN(3))
	for i := range items {
		items[i] = [...]func() string{
			value,
			func() string { return value() + "-" + value() },
			func() string { return "*" },
			func() string { return "?" },
		}[r.IntN(4)]()
		if r.IntN(2) == 0 {
			items[i] += fmt.Sprint("/", 1+r.IntN(6))
		}
	}
	return strings.Join(items, ",")
}
