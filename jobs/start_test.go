package jobs_test

import (
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// A worker that could do nothing does not stay up.
func TestAWorkerDoesNotStartOnAReplica(t *testing.T) {
	rdb := redistest.Replica(t).Client(t)
	worker := jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{jobs.NewQueue[int]("q").Handle(ignore[int])}}
	if err := worker.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "it is a replica") {
		t.Errorf("got %v", err)
	}
}
