package socket

import (
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
)

// A server that could register nobody does not stay up.
func TestAServerDoesNotStartOnAReplica(t *testing.T) {
	s := &Server{Redis: redistest.Replica(t).Client(t)}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "it is a replica") {
		t.Errorf("got %v", err)
	}
}
