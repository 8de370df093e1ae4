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

// The room is a topic, whose members are who is here, and a log of what happened
// in it.
const (
	topic = "room"

	logKey    = "demo:{room}:log" // stream of entries
	logLength = 100               // entries kept
)

// entry is a line of the room's log. Its id orders it among all others,
// whichever process wrote it, and lets a page recognise what it already has.
type entry struct {
	Type string    `json:"type"` // chat, joined or left
	ID   string    `json:"id"`
	At   time.Time `json:"at"`
	Name string    `json:"name"`
	Text string    `json:"text,omitempty"`
	Ref  string    `json:"ref,omitempty"` // what the author's page calls a line
}

// room is all that a page shows, as of the last of its entries.
type room struct {
	Members []string   `json:"members"`
	Entries []entry    `json:"entries"` // oldest first
	Menu    []string   `json:"menu"`
	Orders  []progress `json:"orders"` // the user's own, oldest first
	Tick    *time.Time `json:"tick"`   // null before the first
}

// enter answers with the room. A page asks for it when it has none, and when it
// was away for so long that messages are lost for it.
//
// The user joins first, so that what happens after the room was read reaches the
// page as messages. Some of it may be in both.
func enter(ctx context.Context, _ struct{}) (room, error) {
	if err := socket.Join(ctx, topic); err != nil {
		return room{}, err
	}
	return readRoom(ctx, cmd.Redis(ctx), jobs.UserID(ctx))
}

// readRoom returns the room as the user called name sees it.
func readRoom(ctx context.Context, rdb redis.UniversalClient, name string) (room, error) {
	log, err := rdb.XRevRangeN(ctx, logKey, "+", "-", logLength).Result()
	if err != nil {
		return room{}, fmt.Errorf("read the room's log: %w", err)
	}
	// After the log: who is a member without an entry in it, or the other way
	// round, has one that follows.
	members, err := socket.Members(ctx, topic)
	if err != nil {
		return room{}, err
	}
	orders, err := readOrders(ctx, rdb, name)
	if err != nil {
		return room{}, err
	}
	last, err := readTick(ctx, rdb)
	if err != nil {
		return room{}, err
	}
	entries := make([]entry, 0, len(log))
	for _, m := range slices.Backward(log) {
		entries = append(entries, readEntry(m))
	}
	return room{Members: members, Entries: entries, Menu: menu, Orders: orders, Tick: last}, nil
}

func readEntry(m redis.XMessage) entry {
	return entry{
		Type: field(m, "type"),
		ID:   m.ID,
		At:   entryTime(m.ID),
		Name: field(m, "name"),
		Text: field(m, "text"),
		Ref:  field(m, "ref"),
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

// announce sends v to everyone in the room.
func announce(ctx context.Context, v any, options ...socket.SendOption) error {
	return socket.Topic(topic).Send(ctx, v, options...)
}
