package jobs

import (
	"context"
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// The steps that this package takes in Redis, each atomic. Those named after a
// step of asynq take its place and leave the queue as asynq expects it.
var (
	pushScript     = loadScript("push")
	dequeueScript  = loadScript("dequeue")
	doneScript     = loadScript("done")
	completeScript = loadScript("complete")
	retryScript    = loadScript("retry")
	archiveScript  = loadScript("archive")
	requeueScript  = loadScript("requeue")
	sweepScript    = loadScript("sweep")
)

// loadScript puts the shared functions before the script. The three arguments
// they need are always the last, so a script numbers its own from 1.
func loadScript(name string) *redis.Script {
	const common = "local prefix, channel, now = ARGV[#ARGV - 2], ARGV[#ARGV - 1], ARGV[#ARGV]\n"
	return redis.NewScript(common + luaFile("group") + luaFile(name))
}

func luaFile(name string) string {
	data, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // It is part of the binary.
	}
	return string(data)
}

// runScript runs a script on one queue, named as asynq names it.
func runScript(ctx context.Context, rdb redis.Scripter, script *redis.Script, asynqQueue string, keys []string, args ...any) *redis.Cmd {
	args = append(args[:len(args):len(args)],
		keyPrefix(asynqQueue), wakeChannel(asynqQueue), time.Now().UnixNano())
	return script.Run(ctx, rdb, keys, args...)
}

// asynqQueueName is the name of a queue in asynq and its dashboard.
func asynqQueueName(prefix, queue string) string {
	if prefix == "" {
		return queue
	}
	return prefix + ":" + queue
}

// keyPrefix starts every key of a queue. The braces keep them in one slot of a
// cluster.
func keyPrefix(asynqQueue string) string { return "asynq:{" + asynqQueue + "}:" }

// wakeChannel is where a push to an empty queue is announced.
func wakeChannel(asynqQueue string) string { return "queuerun:wake:" + asynqQueue }

// recordKey is the set of the queues that any worker has ever handled.
func recordKey(prefix string) string {
	if prefix == "" {
		return "queuerun:queues"
	}
	return "queuerun:" + prefix + ":queues"
}

// checkPrefix refuses what would break the names of keys and queues.
func checkPrefix(prefix string) error {
	if i := strings.IndexFunc(prefix, func(r rune) bool { return !isNameRune(r) && r != ':' }); i >= 0 {
		return fmt.Errorf("prefix %q: only letters, digits and . _ - : are allowed", prefix)
	}
	return nil
}
