//go:build slow

package socket

import (
	"testing"
	"time"
)

func TestAStalledReaderAmongAThousandSlowsNobody(t *testing.T) {
	stall(t, 1000, 20*time.Second)
}
