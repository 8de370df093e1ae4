package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Client pushes jobs, and looks after those that were pushed. A context made by its Context method carries it to Push.
// Set the fields before the first use; it may then be used by many goroutines.
type Client struct {
	// Prefix separates apps that share a Redis: letters, digits and . _ - :.
	// Workers need the same one. Empty means none.
	Prefix string
	// Handles lists the handlers of this program. A push to one of their
	// queues is accepted although no worker has started yet.
	Handles []Handler
	// OnUpdate is called with what Cancel and Withdraw delete, if it was pushed
	// with NotifyUser: the State is Archived and the LastError that of ErrCancelled,
	// as of a job that was cancelled while it ran. An error is logged. Of the other
	// ends Worker.OnUpdate is told.
	OnUpdate func(ctx context.Context, update Info) error

	rdb    redis.UniversalClient
	once   sync.Once
	lanes  lanes
	known  sync.Map // queues that some worker has handled
	listed sync.Map // queues that asynq's list has
}

// NewClient returns a client that pushes to the given Redis. Closing rdb, once
// nothing uses the client any more, is up to the caller.
func NewClient(rdb redis.UniversalClient) *Client { return &Client{rdb: rdb} }

// Context returns a context that carries the client, so that Push works with
// it. Handlers are given such a context already.
func (c *Client) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// ClientFrom returns the client that a context carries, ready to use: in a
// handler, to Get, Wait for and Cancel jobs. Without one it returns ErrNoClient.
func ClientFrom(ctx context.Context) (*Client, error) {
	c, _ := ctx.Value(clientKey{}).(*Client)
	if c == nil {
		return nil, ErrNoClient
	}
	if err := c.ready(); err != nil {
		return nil, err
	}
	return c, nil
}

// Redis returns what NewClient was given: for packages that keep state of their
// own beside the queues.
func (c *Client) Redis() redis.UniversalClient { return c.rdb }

// ready checks the fields and prepares the client when it is used first.
func (c *Client) ready() error {
	if c.rdb == nil {
		return errors.New("the client has no Redis: make it with NewClient")
	}
	c.once.Do(c.start)
	return checkPrefix(c.Prefix)
}

func (c *Client) start() {
	for _, h := range c.Handles {
		c.known.Store(h.queue, true)
	}
	c.lanes.start()
}

// checkKnown returns ErrUnknownQueue for a queue that nothing would ever work
// on. That no worker is alive just now is no reason to refuse a job.
func (c *Client) checkKnown(ctx context.Context, queue string) error {
	if _, ok := c.known.Load(queue); ok {
		return nil
	}
	known, err := c.rdb.SIsMember(ctx, recordKey(c.Prefix), queue).Result()
	if err != nil {
		return fmt.Errorf("look up which queues have workers: %w", err)
	}
	if !known {
		return ErrUnknownQueue
	}
	c.known.Store(queue, true)
	return nil
}

// list adds a queue to asynq's list, the first time.
func (c *Client) list(ctx context.Context, asynqQueue string) error {
	if _, ok := c.listed.Load(asynqQueue); ok {
		return nil
	}
	if err := c.rdb.SAdd(ctx, asynqQueues, asynqQueue).Err(); err != nil {
		return fmt.Errorf("list the queue: %w", err)
	}
	c.listed.Store(asynqQueue, true)
	return nil
}
