package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/queuerun/queuerun/jobs/guard"
)

// NotifyUser asks for the job's user to be told of each progress and of the
// end, live. A program made with package cmd sends them over the user's sockets
// as {"job": {...}}, an Info as JSON; elsewhere Worker.OnUpdate gets them, and
// Client.OnUpdate when Cancel deletes a job that waits. What is deleted in the
// dashboard is not told. An error in it has at most 4 KiB, as everywhere.
func NotifyUser() PushOption {
	return func(o *pushOptions) { o.notify = true }
}

// notifyTimeout is how long telling a user of the end of a job may take.
const notifyTimeout = 10 * time.Second

// notify tells of the end of a run.
func (f *fetcher) notify(job Job, run *jobRun, o outcome) {
	info := Info{Job: job, Result: o.result}
	switch o.kind {
	case succeeded:
		info.State = Completed
	case archived:
		info.State = Archived
	case retried:
		info.State = Retrying
	default:
		return
	}
	if o.err != nil {
		info.LastError = cut(o.err.Error(), maxError)
	}
	ctx, cancel := context.WithTimeout(WithUserID(f.run.base, job.UserID), notifyTimeout)
	defer cancel()
	f.tell(ctx, run, info)
}

// tell passes an update on if it was asked for.
func (f *fetcher) tell(ctx context.Context, run *jobRun, info Info) {
	if f.run.onUpdate == nil || run.message.headers[headerNotify] == "" || info.Job.UserID == "" {
		return
	}
	tellUpdate(ctx, f.log, f.run.onUpdate, info)
}

// tellUpdate calls a program's OnUpdate. Nothing depends on what becomes of that,
// also when it panics or does not return.
func tellUpdate(ctx context.Context, log *slog.Logger, onUpdate func(context.Context, Info) error, info Info) {
	var err error
	if broken := guard.Call(func() { err = onUpdate(ctx, info) }); broken != nil {
		err = fmt.Errorf("OnUpdate %w", broken)
	}
	if err != nil {
		log.Warn("could not tell a user of a job", "job", info.Job.ID, "user", info.Job.UserID, "error", cut(guard.Text(err), maxError))
	}
}
