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

// The steps that this package takes in Redis, each atomic.
var (
	pushScript     = loadFrequent("push")
	lookScript     = loadFrequent("look")
	finishScript   = loadFrequent("finish")
	recoverScript  = loadScript("recover")
	adoptScript    = loadScript("adopt")
	sweepScript    = loadScript("sweep")
	tendScript     = loadScript("tend")
	shortenScript  = loadScript("shorten")
	stoppingScript = loadScript("stopping")
	forgetScript   = loadScript("forget")
	cancelScript   = loadScript("cancel")
	progressScript = loadScript("progress")
	waitScript     = loadScript("wait")
	beatScript     = loadAlone("beat")
	recordScript   = loadAlone("record")
)

// script is a script with its source, for Redis that does not know it yet.
type script struct {
	*redis.Script
	source string
}

// sharedLua is what the scripts about one queue share. The three arguments that
// it needs are always the last, so a script numbers its own from 1.
var sharedLua = struct{ given, functions string }{
	"local call, prefix, channel, since = redis.call, ARGV[#ARGV - 2], ARGV[#ARGV - 1], ARGV[#ARGV]\n" +
		"local tasks, parked = prefix .. \"t:\", \"7258118400\"\n",
	luaFile("queue") + luaFile("time") + luaFile("group") + luaFile("archive"),
}

// loadScript puts the shared functions before the script.
func loadScript(name string) script {
	source := sharedLua.given + sharedLua.functions + luaFile(name)
	return script{redis.NewScript(source), source}
}

// loadFrequent is for a script that runs for every job: it makes the shared
// functions when it calls load_rare, and gets a table of them.
func loadFrequent(name string) script {
	source := sharedLua.given + "local function load_rare()\n" + sharedLua.functions + luaFile("rare") + "end\n" + luaFile(name)
	return script{redis.NewScript(source), source}
}

// loadAlone is for a script that is not about one queue.
func loadAlone(name string) script {
	source := luaFile(name)
	return script{redis.NewScript(source), source}
}

func luaFile(name string) string {
	data, err := luaFiles.ReadFile("lua/" + name + ".lua")
	if err != nil {
		panic(err) // It is part of the binary.
	}
	return string(data)
}

// runScript runs a script on one queue, named as asynq names it. When the reply
// is lost go-redis sends it again.
func runScript(ctx context.Context, rdb redis.Scripter, s script, asynqQueue string, keys []string, args ...any) *redis.Cmd {
	return s.Run(ctx, rdb, keys, queueArgs(asynqQueue, args)...)
}

// runOnce is runScript for a script that has to know that it is repeated: when
// the reply is lost it returns the error.
func runOnce(ctx context.Context, rdb redis.UniversalClient, s script, asynqQueue string, keys []string, args ...any) *redis.Cmd {
	args = queueArgs(asynqQueue, args)
	cmd := s.command(ctx, false, keys, args)
	_ = rdb.Process(ctx, notRepeated{cmd})
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.command(ctx, true, keys, args)
		_ = rdb.Process(ctx, notRepeated{cmd})
	}
	return cmd
}

// command is the command that runs the script, inline with its source.
func (s script) command(ctx context.Context, inline bool, keys []string, args []any) *redis.Cmd {
	parts := make([]any, 0, 3+len(keys)+len(args))
	if inline {
		parts = append(parts, "eval", s.source, len(keys))
	} else {
		parts = append(parts, "evalsha", s.Hash(), len(keys))
	}
	for _, key := range keys {
		parts = append(parts, key)
	}
	cmd := redis.NewCmd(ctx, append(parts, args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}

// notRepeated is a command that go-redis sends at most once.
type notRepeated struct{ *redis.Cmd }

func (notRepeated) NoRetry() bool { return true }

func queueArgs(asynqQueue string, args []any) []any {
	return append(args[:len(args):len(args)], keyPrefix(asynqQueue), wakeChannel(asynqQueue), time.Now().UnixNano())
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

func taskKey(asynqQueue, id string) string { return keyPrefix(asynqQueue) + "t:" + id }

// wakeChannel is where the workers of a queue listen.
func wakeChannel(asynqQueue string) string { return "queuerun:wake:" + asynqQueue }

// doneChannel is where the end of a job is announced to those who wait for it.
func doneChannel(asynqQueue, id string) string { return wakeChannel(asynqQueue) + ":done:" + id }

// recordKey is the set of the queues that any worker has ever handled.
func recordKey(prefix string) string {
	if prefix == "" {
		return "queuerun:queues"
	}
	return "queuerun:" + prefix + ":queues"
}

// workersKey is the set of the workers' leases, or the start of the sets, by
// queue, of those that are over.
func workersKey(prefix, which string) string {
	if prefix != "" {
		prefix += ":"
	}
	return "queuerun:{" + prefix + "workers}:" + which
}

// stoppingKey is the note that a worker was told to stop.
func stoppingKey(asynqQueue, worker string) string {
	return keyPrefix(asynqQueue) + "stopping:" + worker
}

// deadKey is the set of the workers whose leases are over and whose jobs of a
// queue are to be put back in line.
func deadKey(prefix, asynqQueue string) string { return workersKey(prefix, "dead:") + asynqQueue }

// checkPrefix refuses what would break the names of keys and queues.
func checkPrefix(prefix string) error {
	if i := strings.IndexFunc(prefix, func(r rune) bool { return !isNameRune(r) && r != ':' }); i >= 0 {
		return fmt.Errorf("prefix %q: only letters, digits and . _ - : are allowed", prefix)
	}
	return nil
}
