package jobs

import (
	"context"
	"fmt"
	"log/slog"
)

// Cancel gives a job up on somebody's behalf. One that waits, for its time, a
// retry or its turn, is deleted, and its group goes on without it. One that
// runs has its context cancelled with the cause ErrCancelled, and when its
// handler returns an error after that it is archived, not retried; when it
// succeeds nevertheless, it has succeeded. Cancel does not wait for the handler.
//
// It returns ErrNotFound when the queue has no such job, and ErrEnded when the
// job has succeeded or was given up before; both also when this very call did
// it, but the reply was lost and go-redis asked again. A dedupe id that a deleted
// job had taken (see Unique and Group.Dedupe) is free again.
func (c *Client) Cancel(ctx context.Context, queue, id string) error {
	if err := c.cancel(ctx, queue, id, ""); err != nil {
		return fmt.Errorf("cancel job %q of queue %q: %w", id, queue, err)
	}
	return nil
}

// Withdraw deletes a job that no worker has started yet. It is Cancel for those
// who do not want to disturb what has begun: a job that runs, or that failed and
// waits for its retry, is left alone and the error is ErrStarted. The other
// errors are those of Cancel.
func (c *Client) Withdraw(ctx context.Context, queue, id string) error {
	if err := c.cancel(ctx, queue, id, "unstarted"); err != nil {
		return fmt.Errorf("withdraw job %q of queue %q: %w", id, queue, err)
	}
	return nil
}

func (c *Client) cancel(ctx context.Context, queue, id, which string) error {
	if err := c.ready(); err != nil {
		return err
	}
	name := asynqQueueName(c.Prefix, queue)
	reply, err := runScript(ctx, c.rdb, cancelScript, name, []string{taskKey(name, id)}, id, which).Slice()
	if err != nil {
		return err
	}
	switch what := reply[0]; what {
	case "":
		return ErrNotFound
	case "started":
		return ErrStarted
	case "over":
		return ErrEnded
	case "gone":
		c.tellCancelled(ctx, queue, append([]any{id}, reply[1:]...))
	}
	return nil
}

// tellCancelled tells the user of a job that was deleted before it had run. The
// job is gone, so an error changes nothing of that.
func (c *Client) tellCancelled(ctx context.Context, queue string, deleted []any) {
	if len(deleted) != foundFields {
		return
	}
	if info, wanted := readRun(deleted, "", "").ended(queue, ErrCancelled); wanted {
		tellEnded(context.WithoutCancel(ctx), slog.Default(), c.OnUpdate, info)
	}
}
