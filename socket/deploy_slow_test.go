//go:build slow

package socket

import "testing"

func TestRollingDeploysOfManyLoseNothing(t *testing.T) { deploy(t, 300, 3, 1000) }
