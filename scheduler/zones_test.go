package scheduler

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestZonesInAnyLetters: each zone is found in small letters and in capitals, and has
// the name of the tz database.
func TestZonesInAnyLetters(t *testing.T) {
	for name := range strings.Lines(zoneNames) {
		name = strings.TrimSpace(name)
		for _, given := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			zone, err := loadZone(given)
			if err != nil || zone.String() != name {
				t.Errorf("%s: got %v, %v", given, zone, err)
			}
		}
	}
	ticks, err := parse("tz=europe/berlin 0 9 * * *")
	if err != nil {
		t.Fatal(err)
	}
	if got := ticks.(fielder).fields(); got != "TZ=Europe/Berlin 0 9 * * *" {
		t.Errorf("got %q", got)
	}
}

// TestZonesAreThoseOfGo fails when a newer Go knows zones that zones.txt lacks.
func TestZonesAreThoseOfGo(t *testing.T) {
	missing := t.Skip
	if os.Getenv("REQUIRE_REAL") == "1" {
		missing = t.Fatal
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		missing("there is no go command: ", err)
	}
	file, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		missing("there is no zoneinfo.zip: ", err)
	}
	defer file.Close()
	known := strings.Fields(zoneNames)
	for _, zone := range file.File {
		if !strings.HasSuffix(zone.Name, "/") && !slices.Contains(known, zone.Name) {
			t.Errorf("zones.txt lacks %s", zone.Name)
		}
	}
}
