package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/socket"
	"github.com/redis/go-redis/v9"
)

// The room is a set of members and a log of what happened in it. Both keys have
// the same hash tag, so that one transaction or script may use both.
const (
	membersKey = "demo:{room}:members" // set of names
	logKey     = "demo:{room}:log"     // stream of entries

	logLength = 100 // entries kept
)

// entry is a line of the room's log. Its id orders it among all others,
// whichever process wrote it, and lets a page recognise what it already has.
type entry struct {
	Type string    `json:"type"` // chat, joined or left
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Name string    `json:"name"`
	Text string    `json:"text,omitempty"`
}

// room is all that a page shows, as of the last of its entries.
type room struct {
	Type    string     `json:"type"`
	Members []string   `json:"members"`
	Entries []entry    `json:"entries"` // oldest first
	Menu    []string   `json:"menu"`
	Orders  []progress `json:"orders"` // the user's own, oldest first
	Tick    *time.Time `json:"tick"`   // null before the first
}

// enter sends the room to the current user. A page asks for it as soon as it is
// signed in.
func enter(ctx context.Context) error {
	name := jobs.UserID(ctx)
	room, err := readRoom(ctx, cmd.Redis(ctx), name)
	if err != nil {
		return err
	}
	return socket.Send(ctx, room)
}

// readRoom returns the room as the user called name sees it.
func readRoom(ctx context.Context, rdb redis.UniversalClient, name string) (room, error) {
	var members *redis.StringSliceCmd
	var log *redis.XMessageSliceCmd
	// In one transaction: a page must not see a member without the entry that
	// made it one.
	_, err := rdb.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		members = tx.SMembers(ctx, membersKey)
		log = tx.XRevRangeN(ctx, logKey, "+", "-", logLength)
		return nil
	})
	if err != nil {
		return room{}, fmt.Errorf("read the room: %w", err)
	}
	orders, err := readOrders(ctx, rdb, name)
	if err != nil {
		return room{}, err
	}
	last, err := readTick(ctx, rdb)
	if err != nil {
		return room{}, err
	}
	entries := make([]entry, 0, len(log.Val()))
	for _, m := range slices.Backward(log.Val()) {
		entries = append(entries, readEntry(m))
	}
	return room{
		Type:    "room",
		Members: members.Val(),
		Entries: entries,
		Menu:    menu,
		Orders:  orders,
		Tick:    last,
	}, nil
}

func readEntry(m redis.XMessage) entry {
	return entry{
		Type: field(m, "type"),
		ID:   m.ID,
		At:   entryTime(m.ID),
		Name: field(m, "name"),
		Text: field(m, "text"),
	}
}

func field(m redis.XMessage, name string) string {
	value, _ := m.Values[name].(string)
	return value
}

// entryTime returns when Redis made a stream id, which begins with that time in
// milliseconds.
func entryTime(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC()
}

// announce sends v to every member. One send reaches at most 100 users, so a
// larger room takes several.
func announce(ctx context.Context, v any) error {
	members, err := cmd.Redis(ctx).SMembers(ctx, membersKey).Result()
	if err != nil {
		return fmt.Errorf("read the members: %w", err)
	}
	for some := range slices.Chunk(members, 100) {
		if err := socket.To(some...).Send(ctx, v); err != nil {
			return fmt.Errorf("tell %d of %d members: %w", len(some), len(members), err)
		}
	}
	return nil
}
