package redistest

import (
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/redis/go-redis/v9"
)

// Each runs the body twice, as the sub-tests "embedded" and "real", each with
// a client of an empty Redis of its own.
func Each(t *testing.T, body func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { body(t, Embedded(t)) })
	t.Run("real", func(t *testing.T) { body(t, Real(t).Client(t)) })
}

// Embedded starts an embedded Redis for the test and returns a client of it.
func Embedded(t testing.TB) *redis.Client {
	t.Helper()
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return Client(t, server.Addr)
}

// Client returns a client of the Redis at addr that is closed with the test.
func Client(t testing.TB, addr string) *redis.Client {
	t.Helper()
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { rdb.Close() })
	return rdb
}

// Eventually waits until cond is true and fails the test when it is not within
// the timeout; what completes the sentence "timed out waiting for ...".
func Eventually(t testing.TB, timeout time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("timed out after %v waiting for %s", timeout, what)
		}
	}
}
