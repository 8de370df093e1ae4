package jobs

import (
	"context"
	"fmt"
	"strconv"
)

// linesKey is where Redis remembers how far the lines of Ascending have come.
func linesKey(asynqQueue string) string { return keyPrefix(asynqQueue) + "lines" }

// LinesKey is the key where Redis remembers how far the lines of a queue have come: a
// hash of numbers by line. It is for packages whose own scripts read or set them, in the
// same slot as the queue.
func (c *Client) LinesKey(queue string) string { return linesKey(asynqQueueName(c.Prefix, queue)) }

// Lines tells how far lines of a queue have come: the number of the last job
// that was pushed with Ascending, for each of the names that has one.
func (c *Client) Lines(ctx context.Context, queue string, names ...string) (map[string]int64, error) {
	if err := c.ready(); err != nil || len(names) == 0 {
		return nil, err
	}
	values, err := c.rdb.HMGet(ctx, linesKey(asynqQueueName(c.Prefix, queue)), names...).Result()
	if err != nil {
		return nil, fmt.Errorf("look how far lines of queue %q have come: %w", queue, err)
	}
	numbers := make(map[string]int64, len(names))
	for i, value := range values {
		text, ok := value.(string)
		if !ok {
			continue
		}
		if numbers[names[i]], err = strconv.ParseInt(text, 10, 64); err != nil {
			return nil, fmt.Errorf("line %q of queue %q: %w", names[i], queue, err)
		}
	}
	return numbers, nil
}

// ForgetLines forgets lines of a queue, as if nothing had been pushed with
// Ascending.
func (c *Client) ForgetLines(ctx context.Context, queue string, names ...string) error {
	if err := c.ready(); err != nil || len(names) == 0 {
		return err
	}
	if err := c.rdb.HDel(ctx, linesKey(asynqQueueName(c.Prefix, queue)), names...).Err(); err != nil {
		return fmt.Errorf("forget lines of queue %q: %w", queue, err)
	}
	return nil
}
