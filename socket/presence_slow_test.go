//go:build slow

package socket

import (
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestPresenceAlternatesForLong(t *testing.T) {
	comeAndGo(t, redistest.Real(t).Client(t), 1000, 30*time.Second)
}

func TestAServerStoppedForHalfAMinuteComesBack(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) { stopAndContinue(t, rdb, 30*time.Second) })
}
