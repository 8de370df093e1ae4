package jobs

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// jobRun is one start of a job in this process, from the look that started it
// until its outcome is in Redis.
type jobRun struct {
	jobID    string
	owner    string // worker and look, by which Redis knows who runs the job
	worker   string // under which lease it runs
	message  taskMessage
	attempt  int
	group    string // as Redis knows it, which headers could only claim
	sequence int64
	retries  int // how many times it is tried again

	cancel context.CancelCauseFunc
	ctx    context.Context // cancelled by cancel
}

// runs are the runs of one queue by job id.
type runs struct {
	mu   sync.Mutex
	byID map[string]*jobRun
	// early are jobs that were cancelled while a look was under way, which may
	// have started them; nil when none is.
	early map[string]bool
}

// expect says that a look is about to start jobs.
func (r *runs) expect() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.early == nil {
		r.early = map[string]bool{}
	}
}

// add takes the runs that a look has started. While its reply was lost, more
// are expected.
func (r *runs) add(started []*jobRun, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]*jobRun{}
	}
	for _, run := range started {
		r.byID[run.jobID] = run
		if r.early[run.jobID] {
			run.cancel(ErrCancelled)
		}
	}
	if !more {
		r.early = nil
	}
}

// cancel cancels the context of a job that runs here.
func (r *runs) cancel(jobID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.byID[jobID]; run != nil {
		run.cancel(ErrCancelled)
	} else if r.early != nil {
		r.early[jobID] = true
	}
}

// all returns the runs.
func (r *runs) all() []*jobRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.byID))
}

func (r *runs) get(jobID string) *jobRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[jobID]
}

// remove forgets a run, unless the job has been started again since.
func (r *runs) remove(run *jobRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[run.jobID] == run {
		delete(r.byID, run.jobID)
	}
}

// under returns the runs that began under a lease.
func (r *runs) under(worker string) []*jobRun {
	return slices.DeleteFunc(r.all(), func(run *jobRun) bool { return run.worker != worker })
}
