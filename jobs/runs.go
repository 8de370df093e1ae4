package jobs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
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

	cancel context.CancelCauseFunc
	ctx    context.Context // cancelled by cancel
}

// runs are the runs of one queue by job id.
type runs struct {
	mu   sync.Mutex
	byID map[string]*jobRun
	// early are cancellations of runs that are not here: Redis has started them
	// and told of it on another connection, or they are over.
	early map[earlyCancel]time.Time
}

type earlyCancel struct{ owner, jobID string }

// earlyKept is how long the reply to a look may be behind a cancellation.
const earlyKept = time.Minute

func (r *runs) add(run *jobRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]*jobRun{}
	}
	r.byID[run.jobID] = run
	key := earlyCancel{run.owner, run.jobID}
	if _, ok := r.early[key]; ok {
		delete(r.early, key)
		run.cancel(ErrCancelled)
	}
}

// cancel cancels the run of a job that the owner started, also if it is still
// to come.
func (r *runs) cancel(owner, jobID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if run := r.byID[jobID]; run != nil && run.owner == owner {
		run.cancel(ErrCancelled)
		return
	}
	if r.early == nil {
		r.early = map[earlyCancel]time.Time{}
	}
	now := time.Now()
	maps.DeleteFunc(r.early, func(_ earlyCancel, at time.Time) bool { return now.Sub(at) > earlyKept })
	r.early[earlyCancel{owner, jobID}] = now
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
