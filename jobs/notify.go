package jobs

import (
	"context"
	"fmt"
	"time"
)

// NotifyUser asks for the job's user to be told of each progress and of the
// end, live. A program made with package cmd sends them over the user's sockets
// as {"job": {...}}, an Info as JSON; elsewhere Worker.OnUpdate gets them, and
// Client.OnUpdate when Cancel deletes a job that waits. What is deleted in the
// dashboard is not told.
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
		info.LastError = o.err.Error()
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
	if err := f.callOnUpdate(ctx, info); err != nil {
		f.log.Warn("could not tell a user of a job", "job", info.Job.ID, "user", info.Job.UserID, "error", err)
	}
}

// callOnUpdate makes an error of a panic.
func (f *fetcher) callOnUpdate(ctx context.Context, info Info) (err error) {
	defer func() {
		if x := recover(); x != nil {
			err = fmt.Errorf("OnUpdate panicked: %v", x)
		}
	}()
	return f.run.onUpdate(ctx, info)
}
