package redistest

import (
	"net"
	"strings"
	"testing"
	"time"
)

// Replica is Real for a read-only replica of another real Redis, which has its
// data when Replica returns.
func Replica(t testing.TB) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(Real(t, Args("--repl-diskless-sync-delay", "0")).Addr)
	if err != nil {
		t.Fatal(err)
	}
	s := Real(t, Args("--replicaof", host+" "+port))
	rdb := s.Client(t)
	Eventually(t, 10*time.Second, "the replica to have its data", func() bool {
		return strings.Contains(rdb.Info(t.Context(), "replication").Val(), "master_link_status:up")
	})
	return s
}
