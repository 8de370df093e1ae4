package scheduler

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// ticks are the times of a schedule.
type ticks interface {
	// next returns the first tick after t, or the zero time if there is none.
	next(t time.Time) time.Time
}

// cronParser reads five fields and the descriptors that have fixed fields.
var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// never is the spec without ticks.
const never = "never"

// parse reads a spec. The ticks are nil for "never". It accepts what the package
// documentation lists, and refuses what would never fire.
func parse(spec string) (ticks, error) {
	if strings.TrimSpace(spec) == never {
		return nil, nil
	}
	zone, rest, err := splitZone(spec)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(rest)
	if len(words) == 0 {
		return nil, errors.New("the spec is empty")
	}
	switch words[0] {
	case "every", "@every":
		return parseEvery(words)
	case "hourly", "daily", "weekly", "monthly", "yearly":
		if len(words) > 1 {
			return nil, fmt.Errorf("unexpected %q after %q", words[1], words[0])
		}
		return parseCron("@"+words[0], zone)
	}
	return parseCron(strings.Join(words, " "), zone)
}

// splitZone takes the time zone off the front of a spec. The cron parser would do
// so too, but panics when nothing follows it.
func splitZone(spec string) (*time.Location, string, error) {
	rest := strings.TrimSpace(spec)
	var name string
	switch {
	case strings.HasPrefix(rest, "TZ="):
		name = rest[len("TZ="):]
	case strings.HasPrefix(rest, "CRON_TZ="):
		name = rest[len("CRON_TZ="):]
	default:
		return time.UTC, rest, nil
	}
	name, rest, _ = strings.Cut(name, " ")
	// "Local" would mean something else on every machine.
	if name == "" || name == "Local" {
		return nil, "", fmt.Errorf("%q is not a time zone", name)
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, "", fmt.Errorf("time zone: %w", err)
	}
	if strings.TrimSpace(rest) == "" {
		return nil, "", fmt.Errorf("nothing follows the time zone %s", name)
	}
	return zone, rest, nil
}

func parseCron(fields string, zone *time.Location) (ticks, error) {
	if strings.HasPrefix(fields, "TZ=") || strings.HasPrefix(fields, "CRON_TZ=") {
		return nil, errors.New("the spec has two time zones")
	}
	schedule, err := cronParser.Parse(fields)
	if err != nil {
		return nil, err
	}
	spec, ok := schedule.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("unexpected kind of schedule %T", schedule)
	}
	// The library takes a field of commas, and then looks at every minute of five
	// years for one that is in it.
	if spec.Minute == 0 || spec.Hour == 0 || spec.Dom == 0 || spec.Month == 0 || spec.Dow == 0 {
		return nil, errors.New("it never fires: a field has no values")
	}
	spec.Location = zone
	t := cronTicks{spec}
	if t.next(reference).IsZero() {
		return nil, errors.New("it never fires: no date matches its fields")
	}
	return t, nil
}

// reference is the time from which specs are examined, so that a spec is right or
// wrong whatever the day.
var reference = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// cronTicks are the times of a cron spec.
type cronTicks struct{ spec *cron.SpecSchedule }

// next looks further ahead than the cron library, which gives up after five years:
// there are eight years between 29 February 2096 and the next one.
func (c cronTicks) next(t time.Time) time.Time {
	for range 3 {
		if tick := c.spec.Next(t); !tick.IsZero() {
			return tick.UTC()
		}
		t = t.AddDate(4, 0, 0)
	}
	return time.Time{}
}
