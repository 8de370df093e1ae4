package scheduler_test

import (
	"context"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/queuerun/queuerun/scheduler"
)

// A Scheduler that could push nothing does not stay up.
func TestASchedulerDoesNotStartOnAReplica(t *testing.T) {
	rdb := redistest.Replica(t).Client(t)
	s := newScheduler(rdb, scheduler.New("report", "every minute", func(context.Context) error { return nil }))
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "it is a replica") {
		t.Errorf("got %v", err)
	}
}
