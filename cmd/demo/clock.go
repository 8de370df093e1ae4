package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

const tickKey = "demo:tick" // when the last tick was due

// ticked tells a page that the schedule ran.
type ticked struct {
	Type string    `json:"type"`
	At   time.Time `json:"at"` // when the run was due
}

// tick runs every minute and reaches the room: a schedule has no current user,
// so it says whom it means. Who was away for some minutes needs the last tick only.
func tick(ctx context.Context) error {
	run, ok := scheduler.FromContext(ctx)
	if !ok {
		return errors.New("tick was called outside a schedule")
	}
	if err := cmd.Redis(ctx).Set(ctx, tickKey, run.At.UnixMilli(), 0).Err(); err != nil {
		return fmt.Errorf("record the tick: %w", err)
	}
	return announce(ctx, ticked{Type: "tick", At: run.At.UTC()}, socket.Latest("tick"))
}

// readTick returns when the last tick was due, or nil before the first.
func readTick(ctx context.Context, rdb redis.UniversalClient) (*time.Time, error) {
	ms, err := rdb.Get(ctx, tickKey).Int64()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the last tick: %w", err)
	}
	at := time.UnixMilli(ms).UTC()
	return &at, nil
}
