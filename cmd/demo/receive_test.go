package main

import (
	"strings"
	"testing"
)

func TestCheckRef(t *testing.T) {
	for ref, ok := range map[string]bool{
		"K3PX9QZ70A1B":                true,
		strings.Repeat("x", minRef):   true,
		strings.Repeat("x", maxRef):   true,
		"":                            false,
		strings.Repeat("x", minRef-1): false,
		strings.Repeat("x", maxRef+1): false,
		"K3PX9QZ7:A1B":                false, // would be part of a key
		"K3PX9QZ7 A1B":                false,
		"K3PX9QZ7ÄA1B":                false,
	} {
		if err := checkRef(ref); (err == nil) != ok {
			t.Errorf("checkRef(%q) = %v", ref, err)
		}
	}
}
