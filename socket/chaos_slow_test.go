//go:build slow

package socket

import (
	"testing"
	"time"
)

func TestDevicesHaveEverythingAfterAMinuteOfChaos(t *testing.T) {
	v := run(t, chaos{servers: 3, senders: 2, users: 300, kills: 6, every: 10 * time.Second, rate: 1000, retain: 100_000})
	if v.told > 0 {
		t.Errorf("devices were told %d times that messages are lost, and none was", v.told)
	}
}

func TestDevicesAreToldWhatAMinuteOfChaosTookFromThem(t *testing.T) {
	v := run(t, chaos{servers: 3, senders: 2, users: 300, kills: 6, every: 10 * time.Second, rate: 1000, retain: 2})
	if v.told == 0 {
		t.Error("no device was told of a loss")
	}
}
