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

func TestManySchedulesEveryMinute(t *testing.T) {
	late := lateness(t, "* * * * *", time.Minute, 3)
	if most := late[len(late)-1]; most > time.Second {
		t.Errorf("the last of them was in the queue after %v", most)
	}
}
