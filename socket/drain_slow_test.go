//go:build slow

package socket

import (
	"fmt"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// Every trip to Redis hangs, but the ends of the connections are not waited for one
// after the other.
func TestAStopWithoutRedisHasAnEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Real(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr, ContextTimeoutEnabled: true})
	defer rdb.Close()
	s := serve(t, &Server{Redis: rdb, OfflineAfter: -1, Drain: time.Second, Handlers: Handlers{OnConnect: byQuery}})
	for i := range 10 * syncs {
		dial(t, fmt.Sprintf("%s?user=user-%d", s.URL, i))
	}
	server.Pause()
	took := stopIn(s)
	server.Continue()
	t.Logf("stopped in %v", took.Round(10*time.Millisecond))
	// go-redis gives the reply to a blocking read ten seconds more.
	if most := time.Second + inboxBlock + 10*time.Second + stopTimeout + 4*time.Second; took > most {
		t.Errorf("the stop took %v, want at most %v", took, most)
	}
}
