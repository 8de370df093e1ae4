package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

// join runs when a user's first connection is there. The user becomes a member
// before the log says so: whoever reads it there finds the user among the members.
func join(ctx context.Context, name string) error {
	// One who is gone already was here all the same, and leave comes next.
	if err := socket.Join(ctx, topic); err != nil && !errors.Is(err, socket.ErrOffline) {
		return err
	}
	return move(ctx, "joined", name)
}

// leave runs when a user's last connection is gone, and with it the membership.
func leave(ctx context.Context, name string) error {
	return move(ctx, "left", name)
}

// move writes into the log that a user came or left, and tells the room.
func move(ctx context.Context, event, name string) error {
	e, err := recordMove(ctx, cmd.Redis(ctx), event, name)
	if err != nil {
		return fmt.Errorf("record that %q %s: %w", name, event, err)
	}
	return announce(ctx, e)
}

// recordMove writes the entry of a move. It is safe to repeat, as join and leave
// are when they fail half-way: they alternate, so the same event again is the
// same move, and yields the entry written then.
func recordMove(ctx context.Context, rdb redis.UniversalClient, event, name string) (entry, error) {
	id, err := moveScript.Run(ctx, rdb, []string{logKey}, event, name, logLength).Text()
	if err != nil {
		return entry{}, err
	}
	return entry{Type: event, ID: id, At: entryTime(id), Name: name}, nil
}

var moveScript = redis.NewScript(`
local event, name, length = unpack(ARGV)
for _, line in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-')) do
	local f = line[2]
	if f[2] ~= 'chat' and f[4] == name then
		if f[2] == event then return line[1] end
		break
	end
end
return redis.call('XADD', KEYS[1], 'MAXLEN', length, '*', 'type', event, 'name', name)
`)
