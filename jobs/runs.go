package jobs

import (
	"sync"
	"time"
)

// jobRun is one start of a job in this process, from the dequeue until its
// outcome is in Redis.
type jobRun struct {
	id       string // of the run; Redis knows it as the job's owner
	attempt  int
	sequence int64
	grouped  bool // the group is known to Redis, not only claimed by the headers

	returned   chan struct{} // closed when the handler has returned
	returnedAt time.Time     // before returned is closed
	giveBack   bool          // likewise: the job is to go back to the queue uncharged
}

// runs are the runs of one queue by job id.
type runs struct {
	mu   sync.Mutex
	byID map[string]*jobRun
}

func (r *runs) add(jobID string, run *jobRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID == nil {
		r.byID = map[string]*jobRun{}
	}
	r.byID[jobID] = run
}

func (r *runs) get(jobID string) *jobRun {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byID[jobID]
}

// remove forgets a run, unless the job has been started again since.
func (r *runs) remove(jobID string, run *jobRun) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byID[jobID] == run {
		delete(r.byID, jobID)
	}
}

// forget removes runs that returned before the given time: asynq does not come
// back to those whose lease was lost.
func (r *runs) forget(before time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, run := range r.byID {
		if run.hasReturned() && run.returnedAt.Before(before) {
			delete(r.byID, id)
		}
	}
}

func (r *jobRun) hasReturned() bool {
	select {
	case <-r.returned:
		return true
	default:
		return false
	}
}
