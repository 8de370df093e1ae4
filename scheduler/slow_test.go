//go:build slow

package scheduler_test

import (
	"testing"
	"time"
)

func TestTwoMinutesOfTicksAndWhateverHappensToTheSchedulers(t *testing.T) {
	f := newFleet(t)
	over := time.After(2 * time.Minute)
	for range 3 {
		<-time.After(22 * time.Second)
		f.killLeader()
	}
	<-time.After(15 * time.Second)
	f.stopLeader(10 * time.Second)
	<-over
	f.check()
}

func TestTicksMissedWhileRedisWasAwayForHalfAMinute(t *testing.T) {
	testRedisAway(t, 30*time.Second)
}
