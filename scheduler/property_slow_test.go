//go:build slow

package scheduler

import "testing"

func TestRandomSpecsInUTCForTenYears(t *testing.T) { compareInUTC(t, 100, 10) }

func TestManyRandomSpecsWhenClocksChange(t *testing.T) { compareOverChanges(t, 100, 2010, 12) }
