package jobs

import (
	"context"
	"fmt"
)

// progressFunc takes what a handler says of its progress.
type progressFunc func(ctx context.Context, data []byte) error

// Progress stores how far the job has come that the calling handler runs: a
// percentage, a step, anything that encoding/json takes (a []byte or string is
// kept as it is), of at most 64 KiB. Client.Get returns the last one, and a user who asked for it
// with NotifyUser is told each. It stays with the job as long as that is kept.
//
// It returns ErrNoJob outside of a handler, ErrLeaseLost when another worker
// has taken the job over, and an error when Redis does not answer.
func Progress(ctx context.Context, v any) error {
	store, ok := ctx.Value(progressKey{}).(progressFunc)
	if !ok {
		return ErrNoJob
	}
	data, err := encode(v)
	if err != nil {
		return fmt.Errorf("progress: encode: %w", err)
	}
	if err := checkSize("progress", len(data), maxProgress); err != nil {
		return err
	}
	if err := store(ctx, data); err != nil {
		return fmt.Errorf("progress: %w", err)
	}
	return nil
}

// reporter stores the progress of a run.
type reporter struct {
	fetcher *fetcher
	run     *jobRun
	job     Job
}

func (r reporter) progress(ctx context.Context, data []byte) error {
	f := r.fetcher
	kept, err := runScript(ctx, f.run.rdb, progressScript, f.name, []string{taskKey(f.name, r.job.ID)}, r.run.owner, data).Int()
	if err != nil {
		return err
	}
	if kept == 0 {
		return ErrLeaseLost
	}
	f.tell(ctx, r.run, Info{Job: r.job, State: Active, Progress: data})
	return nil
}
