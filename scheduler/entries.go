package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/encoding/protowire"
)

// The dashboard has a page of schedules, of which asynq's own scheduler would
// tell it, in an encoding that asynq keeps to itself.

const (
	// asynqSchedulers is the set of the keys that have entries, by until when they are
	// looked at.
	asynqSchedulers = "asynq:schedulers"

	// present is how long ago a schedule may have been declared to be shown.
	present = 5 * beatEvery

	historyLength = 1000
	historyKept   = 90 * 24 * time.Hour
)

// noTick stands for the next tick of a schedule that has none. The page must
// have a time: it shows "now" for a zero one and "in NaNhNaNmNaNs" for none.
var noTick = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

// entryID names a schedule on the page.
func (s store) entryID(name string) string {
	if s.client.Prefix != "" {
		return s.client.Prefix + ":" + name
	}
	return name
}

// publish shows the schedules that some program has on the dashboard, in one
// list for all programs and processes.
func (p *presence) publish(ctx context.Context, records []record, now time.Time) error {
	key := "asynq:schedulers:{" + p.queue + "}"
	entries := []any{int(present / time.Second)}
	for _, r := range records {
		if now.Sub(r.declared) <= present {
			entries = append(entries, p.entry(r, now))
		}
	}
	err := publishScript.Run(ctx, p.Redis, []string{key}, entries...).Err()
	if err == nil {
		// The dashboard would compare this with the clock of its own machine. The list itself is
		// gone when it has expired.
		err = listScript.Run(ctx, p.Redis, []string{asynqSchedulers}, key, noTick.Unix()).Err()
	}
	if err != nil {
		return fmt.Errorf("list the schedules for the dashboard: %w", redisstep.Explain(err))
	}
	return nil
}

// entry is asynq's encoding of a schedule.
func (p *presence) entry(r record, now time.Time) []byte {
	next, spec := noTick, r.spec
	if ticks := upcoming(r, now, 1); len(ticks) > 0 {
		next = ticks[0]
	}
	if !r.paused.IsZero() {
		spec += " (paused)"
	}
	payload, _ := json.Marshal(map[string]string{"name": r.name, "cron": r.spec}) // It always can be.
	entry := appendText(nil, 1, p.entryID(r.name))
	entry = appendText(entry, 2, spec)
	entry = appendText(entry, 3, QueueName)
	entry = appendText(entry, 4, string(payload))
	entry = appendText(entry, 5, "Queue("+strconv.Quote(p.queue)+")")
	entry = appendTime(entry, 6, next)
	if r.cursor.IsZero() {
		return appendTime(entry, 7, time.Time{})
	}
	return appendTime(entry, 7, r.cursor)
}

// record adds ticks that were pushed to the history that the dashboard shows.
// Nothing depends on it.
func (p *presence) record(ctx context.Context, pushed []tick, now time.Time) {
	if len(pushed) == 0 {
		return
	}
	pipe := p.Redis.Pipeline()
	for _, t := range pushed {
		key := p.historyKey(p.entryID(t.Name))
		event := appendTime(appendText(nil, 1, t.id()), 2, now)
		pipe.ZAdd(ctx, key, redis.Z{Score: float64(t.Unix), Member: event})
		pipe.ZRemRangeByRank(ctx, key, 0, -historyLength-1)
		pipe.Expire(ctx, key, historyKept)
	}
	if _, err := pipe.Exec(ctx); err != nil && ctx.Err() == nil {
		p.logger().Warn("scheduler: the dashboard's history lacks some ticks", "error", err)
	}
}

func appendText(message []byte, number protowire.Number, text string) []byte {
	message = protowire.AppendTag(message, number, protowire.BytesType)
	return protowire.AppendString(message, text)
}

// appendTime adds a google.protobuf.Timestamp.
func appendTime(message []byte, number protowire.Number, t time.Time) []byte {
	var stamp []byte
	stamp = protowire.AppendTag(stamp, 1, protowire.VarintType)
	stamp = protowire.AppendVarint(stamp, uint64(t.Unix()))
	stamp = protowire.AppendTag(stamp, 2, protowire.VarintType)
	stamp = protowire.AppendVarint(stamp, uint64(t.Nanosecond()))
	message = protowire.AppendTag(message, number, protowire.BytesType)
	return protowire.AppendBytes(message, stamp)
}
