package jobs

import (
	"context"
	"fmt"
)

// reporter is how a handler's context leads back to its run.
type reporter struct {
	fetcher *fetcher
	run     *jobRun
	job     Job
}

// Progress stores how far the job has come that the calling handler runs: a
// percentage, a step, anything that encoding/json takes (a []byte or string is
// kept as it is). Client.Get returns the last one, and a user who asked for it
// with NotifyUser is told each. It stays with the job as long as that is kept.
//
// It returns ErrNoJob outside of a handler, ErrLeaseLost when another worker
// has taken the job over, and an error when Redis does not answer.
func Progress(ctx context.Context, v any) error {
	r, ok := ctx.Value(runKey{}).(reporter)
	if !ok {
		return ErrNoJob
	}
	data, err := encode(v)
	if err != nil {
		return fmt.Errorf("progress of job %q: encode: %w", r.job.ID, err)
	}
	f := r.fetcher
	kept, err := runScript(ctx, f.run.rdb, progressScript, f.name, []string{taskKey(f.name, r.job.ID)}, r.run.owner, data).Int()
	if err != nil {
		return fmt.Errorf("progress of job %q: %w", r.job.ID, err)
	}
	if kept == 0 {
		return fmt.Errorf("progress of job %q: %w", r.job.ID, ErrLeaseLost)
	}
	f.tell(ctx, r.run, Info{Job: r.job, State: Active, Progress: data})
	return nil
}
