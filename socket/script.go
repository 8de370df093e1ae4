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

func newScript(source string) script { return script{redis.NewScript(source), source} }

// command makes the command that runs the script, by its hash or with its
// source.
func (s script) command(ctx context.Context, inline bool, keys []string, args ...any) *redis.Cmd {
	words := make([]any, 0, 3+len(keys)+len(args))
	if inline {
		words = append(words, "eval", s.source)
	} else {
		words = append(words, "evalsha", s.Hash())
	}
	words = append(words, len(keys))
	for _, key := range keys {
		words = append(words, key)
	}
	cmd := redis.NewCmd(ctx, append(words, args...)...)
	cmd.SetFirstKeyPos(3) // a cluster client finds the node by it
	return cmd
}
