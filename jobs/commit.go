package jobs

import "time"

// commit writes the outcome of a run, as often as it takes until the worker has
// stopped: the script sees when it is there already. It returns what was
// written, which is another outcome when the job was cancelled meanwhile, or
// that nothing was.
func (f *fetcher) commit(job *jobRun, o outcome) (_ outcome, written bool) {
	ctx := f.run.phase.over
	wait := 50 * time.Millisecond
	for {
		reply, err := f.run.commits.do(ctx, f.name, f.commitArgs(job, o))
		f.writing.Note(err)
		switch {
		case err == nil && reply == 2:
			o = o.ofCancelled()
			continue
		case err == nil && reply == 0:
			f.log.Warn("the job was taken over meanwhile, its outcome here is dropped", "job", job.jobID, "attempt", job.attempt)
			return o, false
		case err == nil:
			return o, true
		}
		pause(ctx, wait, nil)
		wait = min(2*wait, time.Second)
		if ctx.Err() != nil {
			f.log.Error("the outcome of a job is lost, it will be run again", "job", job.jobID, "error", err)
			f.run.unsettled.Store(true)
			return o, false
		}
	}
}

// commitArgs are what the script finish is told of one run.
func (f *fetcher) commitArgs(job *jobRun, o outcome) []any {
	counted := 0
	if o.charged() {
		counted = 1
	}
	keep := max(job.message.retention, int64(f.h.retain/time.Second))
	return []any{
		job.jobID, job.owner, string(o.kind), o.message(job), ceilMillis(o.wait),
		keep, o.result, counted, job.message.uniqueKey,
	}
}
