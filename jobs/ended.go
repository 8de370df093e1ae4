package jobs

import (
	"context"
	"log/slog"
)

// Some jobs end without a handler that could tell of it: those that were deleted
// before they ran, and those that took too many workers with them.

// ended is what there is to tell of such a job. wanted reports whether it was
// pushed with NotifyUser by somebody.
func (r *jobRun) ended(queue string, why error) (info Info, wanted bool) {
	message, err := parseMessage(r.message.raw)
	info.Job = Job{ID: r.jobID, Queue: queue, Attempt: r.attempt, Sequence: r.sequence}
	if err != nil || readHeaders(&info.Job, message.headers) != nil {
		return info, false
	}
	info.State, info.LastError, info.Failed = Archived, why.Error(), message.retried
	return info, message.headers[headerNotify] != "" && info.Job.UserID != ""
}

// tellEnded calls onUpdate, if there is one, with the end of a job.
func tellEnded(ctx context.Context, log *slog.Logger, onUpdate func(context.Context, Info) error, info Info) {
	if onUpdate == nil {
		return
	}
	ctx, cancel := context.WithTimeout(WithUserID(ctx, info.Job.UserID), notifyTimeout)
	defer cancel()
	tellUpdate(ctx, log, onUpdate, info)
}

// tellGivenUp tells of jobs that recovery has given up. It does not wait: the
// lease is to be renewed meanwhile.
func (r *workerRun) tellGivenUp(asynqQueue string, runs []*jobRun) {
	f := r.fetchers[asynqQueue]
	for _, run := range runs {
		if info, wanted := run.ended(f.h.queue, run.givenUpFor()); wanted {
			r.telling.Go(func() { tellEnded(r.base, f.log, r.onUpdate, info) })
		}
	}
}

// givenUpFor is why recovery has given a job up.
func (r *jobRun) givenUpFor() error {
	if message, err := parseMessage(r.message.raw); err == nil && message.lastError == ErrCancelled.Error() {
		return ErrCancelled
	}
	return errPoison
}
