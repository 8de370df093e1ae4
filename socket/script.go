package socket

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// script is a Lua script that can be part of a pipeline, which
// redis.Script.Run cannot: it must see one reply before it knows what to send.
type script struct {
	*redis.Script
	source string
}

// newScript makes a script.
//
// On a full Redis, one that has reached its maxmemory and may evict nothing, what
// adds is refused, but what renews, drains, trims or says goodbye must work. Redis
// refuses a script only a first write that may take memory, and none that follows on
// a write that cannot. So the scripts that must work free something first, if only
// what is not there: these lines say "see newScript".
func newScript(source string) script { return script{redis.NewScript(source), source} }

// texts returns what a script replied as strings; what is none is "".
func texts(reply any) []string {
	words, _ := reply.([]any)
	all := make([]string, len(words))
	for i, word := range words {
		all[i], _ = word.(string)
	}
	return all
}

// command makes the command that runs the script, by its hash or with its
// source.
func (s script) command(ctx context.Context, inline bool, keys []string, args ...any) *redis.Cmd {
	words := make([]any, 0, len(keys)+len(args))
	for _, key := range keys {
		words = append(words, key)
	}
	return s.commandOf(ctx, inline, len(keys), append(words, args...))
}

// commandOf is command with the keys and the arguments in one list.
func (s script) commandOf(ctx context.Context, inline bool, keys int, words []any) *redis.Cmd {
	run, what := "evalsha", s.Hash()
	if inline {
		run, what = "eval", s.source
	}
	cmd := redis.NewCmd(ctx, append([]any{run, what, keys}, words...)...)
	cmd.SetFirstKeyPos(3) // a cluster client finds the node by it
	return cmd
}
