package cmd

import (
	"context"
	"fmt"
	"log/slog"
)

// redisLog receives what the Redis library has to say. It repeats, on lines of its
// own, errors that every caller gets returned as well, so they are for debugging.
type redisLog struct{ logger *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, args ...any) {
	l.logger.DebugContext(ctx, fmt.Sprintf(format, args...))
}
