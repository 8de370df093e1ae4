//go:build slow

package socket

import "testing"

func TestTenThousandAreBackAfterAServersDeath(t *testing.T) { storm(t, 10_000, 2, "10s") }
