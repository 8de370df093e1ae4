package jobs

import (
	"context"
	"fmt"
	"time"
)

// waitCheck is how often a waiting client looks by itself, in case it was not
// told.
const waitCheck = time.Second

// Wait returns what is known of a job when it has succeeded or was given up; its
// State says which. It keeps a connection to Redis of its own while it waits.
//
// It returns ErrNotFound when the queue has no such job, because it succeeded
// before without being kept, or is deleted or cancelled while it waits in line;
// and the error of ctx when that ends first.
func (c *Client) Wait(ctx context.Context, queue, id string) (Info, error) {
	info, err := c.wait(ctx, queue, id)
	if err != nil {
		return info, fmt.Errorf("wait for job %q of queue %q: %w", id, queue, err)
	}
	return info, nil
}

func (c *Client) wait(ctx context.Context, queue, id string) (Info, error) {
	if err := c.ready(); err != nil {
		return Info{}, err
	}
	name := asynqQueueName(c.Prefix, queue)
	told := c.rdb.Subscribe(ctx, doneChannel(name, id))
	defer told.Close()
	messages := told.ChannelWithSubscriptions()
	tick := time.NewTicker(waitCheck)
	defer tick.Stop()
	for {
		if err := c.markWaited(ctx, name, id); err != nil {
			return Info{}, err
		}
		info, err := c.get(ctx, queue, id)
		if err != nil || info.State.Ended() {
			return info, err
		}
		select {
		case <-ctx.Done():
			return info, ctx.Err()
		case <-messages:
		case <-tick.C:
		}
	}
}

// markWaited makes sure that the job is announced and kept for a while when it
// has ended.
func (c *Client) markWaited(ctx context.Context, asynqQueue, id string) error {
	return runScript(ctx, c.rdb, waitScript, asynqQueue, []string{taskKey(asynqQueue, id)}).Err()
}
