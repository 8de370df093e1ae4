package scheduler

import (
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// zoneNames are the time zones of the tz database, one a line, as Go's own copy of
// it has them. Names are looked up here, since a look at the machine's files depends
// on whether these tell small letters from capitals, and time/tzdata cannot be listed.
//
//go:embed zones.txt
var zoneNames string

// loadZone returns the zone of a name, in whatever letters. The zone itself has the
// name as the tz database writes it.
func loadZone(name string) (*time.Location, error) {
	// "Local" would mean something else on every machine.
	if name == "" || strings.EqualFold(name, "Local") {
		return nil, fmt.Errorf("%q is not a time zone", name)
	}
	for known := range strings.Lines(zoneNames) {
		if known = strings.TrimSpace(known); strings.EqualFold(known, name) {
			return time.LoadLocation(known)
		}
	}
	return time.LoadLocation(name) // One that is newer.
}
