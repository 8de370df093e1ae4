package jobs

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// asynqQueues is asynq's list of queues, which the dashboard shows.
const asynqQueues = "asynq:queues"

// recordQueues makes the queues known to clients in other programs, and lists
// them in the dashboard. A worker does so again and again: Redis may lose either,
// and an empty queue may be deleted in the dashboard.
func recordQueues(ctx context.Context, rdb redis.UniversalClient, prefix string, handlers []Handler) error {
	if len(handlers) == 0 {
		return nil
	}
	names, asynqNames := make([]any, len(handlers)), make([]any, len(handlers))
	for i, h := range handlers {
		names[i], asynqNames[i] = h.queue, asynqQueueName(prefix, h.queue)
	}
	if err := record(ctx, rdb, recordKey(prefix), names); err != nil {
		return fmt.Errorf("record the queues in Redis: %w", err)
	}
	if err := record(ctx, rdb, asynqQueues, asynqNames); err != nil {
		return fmt.Errorf("list the queues for the dashboard: %w", err)
	}
	return nil
}

// record adds members to a set. A Redis that is full refuses that, also when they
// are in it already, but not the script.
func record(ctx context.Context, rdb redis.UniversalClient, key string, members []any) error {
	err := rdb.SAdd(ctx, key, members...).Err()
	if redis.IsOOMError(err) {
		err = recordScript.Run(ctx, rdb, []string{key}, members...).Err()
	}
	return err
}
