package jobs

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// sweep settles every group of a queue that has jobs. The scripts keep the
// groups right by themselves; what an operator deletes, archives or runs in the
// dashboard goes past them.
func sweep(ctx context.Context, rdb redis.UniversalClient, asynqQueue string) error {
	key := keyPrefix(asynqQueue) + "fifo-groups"
	for cursor := uint64(0); ; {
		groups, next, err := rdb.SScan(ctx, key, cursor, "", 100).Result()
		if err != nil {
			return fmt.Errorf("list the groups of queue %q: %w", asynqQueue, err)
		}
		if len(groups) > 0 {
			args := make([]any, len(groups))
			for i, group := range groups {
				args[i] = group
			}
			if err := runScript(ctx, rdb, sweepScript, asynqQueue, []string{key}, args...).Err(); err != nil {
				return fmt.Errorf("settle the groups of queue %q: %w", asynqQueue, err)
			}
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}
