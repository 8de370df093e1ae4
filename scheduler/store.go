package scheduler

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// The steps that this package takes in Redis, each atomic.
var (
	declareScript = loadScript("declare")
	forgetScript  = loadScript("forget")
	beginScript   = loadScript("begin")
	endScript     = loadScript("end")
	pauseScript   = loadScript("pause")
	leaveScript   = loadScript("leave")
	timeScript    = loadScript("time")
	skipScript    = loadScript("skip")
	goBackScript  = loadScript("goback")
	publishScript = loadScript("publish")
	listScript    = loadScript("list")
)

func loadScript(name string) *redis.Script {
	data, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // It is part of the binary.
	}
	return redis.NewScript(string(data))
}

// store is what Redis knows of schedules, beside their jobs.
type store struct {
	rdb    redis.UniversalClient
	client *jobs.Client
	queue  string // as asynq has it
}

func storeOf(client *jobs.Client) store {
	queue := QueueName
	if client.Prefix != "" {
		queue = client.Prefix + ":" + queue
	}
	return store{client.Redis(), client, queue}
}

// storeFrom is the store of the client in ctx, without which it returns
// jobs.ErrNoClient.
func storeFrom(ctx context.Context) (store, error) {
	client, err := jobs.ClientFrom(ctx)
	if err != nil {
		return store{}, err
	}
	return storeOf(client), nil
}

// key is a key of the queue's own slot.
func (s store) key(what string) string { return "queuerun:{" + s.queue + "}:" + what }

func (s store) namesKey() string               { return s.key("names") }
func (s store) scheduleKey(n string) string    { return s.key("schedule:" + n) }
func (s store) runsKey() string                { return s.key("runs") }
func (s store) lastKey() string                { return s.key("last") }
func (s store) leaderKey() string              { return s.key("leader") }
func (s store) historyKey(entry string) string { return "asynq:scheduler_history:" + entry }

// tasks is the start of the keys where asynq keeps the queue's jobs.
func (s store) tasks() string { return "asynq:{" + s.queue + "}:t:" }

// record is what Redis knows of one schedule.
type record struct {
	name     string
	known    bool
	spec     string
	overlap  string
	from     time.Time // only ticks after it are pushed
	of       string    // the spec that this is about; "": all
	ticks    string    // the next ones, if the spec does not tell them
	ahead    spans     // ticks after the cursor that were pushed already; see goback.lua
	declared time.Time // when a program that has it said so last
	paused   time.Time // zero: it is not
	cursor   time.Time // the last tick that was pushed; zero: none
}

var recordFields = []string{"v", "spec", "overlap", "from", "declared", "paused", "of", "ticks", "ahead"}

// read reads the records of schedules, in their order.
func (s store) read(ctx context.Context, names []string) ([]record, error) {
	records := make([]record, len(names))
	if len(names) == 0 {
		return records, nil
	}
	pipe := s.rdb.Pipeline()
	fields := make([]*redis.SliceCmd, len(names))
	for i, name := range names {
		fields[i] = pipe.HMGet(ctx, s.scheduleKey(name), recordFields...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read what is known of schedules: %w", err)
	}
	cursors, err := s.client.Lines(ctx, QueueName, names...)
	if err != nil {
		return nil, err
	}
	for i, name := range names {
		if records[i], err = readRecord(name, fields[i].Val()); err != nil {
			return nil, err
		}
		if cursor, ok := cursors[name]; ok {
			records[i].cursor = time.Unix(cursor, 0).UTC()
		}
	}
	return records, nil
}

const formatVersion = "1"

func readRecord(name string, values []any) (record, error) {
	text := func(i int) string { s, _ := values[i].(string); return s }
	number := func(i int) int64 { n, _ := strconv.ParseInt(text(i), 10, 64); return n }
	r := record{name: name, known: text(0) != "", spec: text(1), overlap: text(2)}
	if !r.known {
		return r, nil
	}
	if text(0) != formatVersion {
		return r, fmt.Errorf("what is known of schedule %q has format %q, and this program knows only %q", name, text(0), formatVersion)
	}
	r.from = time.Unix(number(3), 0).UTC()
	r.declared = time.UnixMilli(number(4)).UTC()
	if values[5] != nil {
		r.paused = time.Unix(number(5), 0).UTC()
	}
	r.of, r.ticks, r.ahead = text(6), text(7), readSpans(text(8))
	return r, nil
}
