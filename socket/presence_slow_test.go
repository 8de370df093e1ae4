//go:build slow

package socket

import (
	"testing"
	"time"
)

func TestPresenceAlternatesForLong(t *testing.T) { comeAndGo(t, 1000, 30*time.Second) }
