package cmd

import (
	"context"

	"github.com/redis/go-redis/v9"
)

type redisKey struct{}

// Redis returns the client of the Redis that the program runs on, for state of
// the program's own, from the context of any of its handlers. Elsewhere it returns
// nil. Keys that begin with "asynq:" or "queuerun:" are taken.
func Redis(ctx context.Context) redis.UniversalClient {
	rdb, _ := ctx.Value(redisKey{}).(redis.UniversalClient)
	return rdb
}
