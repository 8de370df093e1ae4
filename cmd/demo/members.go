package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

// join runs when a user's first connection is there.
func join(ctx context.Context, name string) error {
	if err := move(ctx, "joined", name); err != nil {
		return err
	}
	// What was said between the user's arrival and this moment went to the
	// members before, so the new one gets the room again.
	room, err := readRoom(ctx, cmd.Redis(ctx), name)
	if err != nil {
		return err
	}
	return socket.To(name).Send(ctx, room)
}

// leave runs when a user's last connection is gone.
func leave(ctx context.Context, name string) error {
	return move(ctx, "left", name)
}

// move puts a user into the room or takes it out, and tells the members.
func move(ctx context.Context, event, name string) error {
	e, err := recordMove(ctx, cmd.Redis(ctx), event, name)
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("record that %q %s: %w", name, event, err)
	}
	return announce(ctx, e)
}

// recordMove changes the members and writes the entry for it, in one step. It
// is safe to repeat, as join and leave are when they fail half-way: a change
// made before yields the entry written then, or redis.Nil when the log no
// longer has it.
func recordMove(ctx context.Context, rdb redis.UniversalClient, event, name string) (entry, error) {
	id, err := moveScript.Run(ctx, rdb, []string{membersKey, logKey}, event, name, logLength).Text()
	if err != nil {
		return entry{}, err
	}
	return entry{Type: event, ID: id, At: entryTime(id), Name: name}, nil
}

var moveScript = redis.NewScript(`
local event, name, length = ARGV[1], ARGV[2], ARGV[3]
local change = event == 'joined' and 'SADD' or 'SREM'
if redis.call(change, KEYS[1], name) == 1 then
	return redis.call('XADD', KEYS[2], 'MAXLEN', length, '*', 'type', event, 'name', name)
end
for _, line in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-')) do
	local f = line[2]
	if f[2] == event and f[4] == name then
		return line[1]
	end
end
return false
`)
