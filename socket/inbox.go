package socket

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	inboxBatch = 512
	inboxBlock = time.Second // also the longest that a stop waits for the reader
	inboxPause = 200 * time.Millisecond
)

// receive reads the inbox of an incarnation from its beginning and delivers
// what it finds, until ctx is cancelled. It never starts at the end: what was
// sent between the making of the inbox and the first read would be lost.
func (h *hub) receive(ctx context.Context, server string) {
	inbox := h.keys.inbox(server)
	for after := "0-0"; ctx.Err() == nil; {
		streams, err := h.leases.redis.XRead(ctx, &redis.XReadArgs{
			Streams: []string{inbox, after}, Count: inboxBatch, Block: inboxBlock,
		}).Result()
		if err == redis.Nil {
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				h.log.Warn("socket: read inbox", "server", server, "error", err)
				pause(ctx, inboxPause)
			}
			continue
		}
		messages := streams[0].Messages
		after = messages[len(messages)-1].ID
		overrun := len(messages) == inboxBatch && h.overrun(ctx, inbox)
		h.distribute(ctx, messages)
		// The one that was handled last stays: a stream that is never empty is
		// the simplest proof that the inbox is there.
		if err := h.leases.redis.XTrimMinID(ctx, inbox, after).Err(); err != nil && ctx.Err() == nil {
			h.log.Warn("socket: trim inbox", "server", server, "error", err)
		}
		if overrun {
			h.compareAll(ctx)
		}
	}
}

// distribute delivers a batch. The order of messages to different users means
// nothing; those to one user are sorted first, for two senders that overlapped
// may have written them the other way round.
func (h *hub) distribute(ctx context.Context, messages []redis.XMessage) {
	byUser := map[*subscription][]entry{}
	for _, m := range messages {
		if text(m.Values, "k") == kindMark {
			continue
		}
		entries, err := parseInbox(m.Values)
		if err != nil {
			h.log.Error("socket: inbox entry is not readable", "entry", m.ID, "error", err)
			continue // the users' next messages show the gap
		}
		for _, e := range entries {
			if s := h.find(e.user); s != nil {
				byUser[s] = append(byUser[s], e)
			}
		}
	}
	for s, entries := range byUser {
		slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
		h.deliver(ctx, s, entries)
	}
}

// overrun tells whether the inbox is so full that its oldest entries may have
// been cut off unread.
func (h *hub) overrun(ctx context.Context, inbox string) bool {
	n, err := h.leases.redis.XLen(ctx, inbox).Result()
	return err == nil && n > inboxLimit*9/10
}

// compareAll brings every user up to the newest message of the log.
func (h *hub) compareAll(ctx context.Context) {
	h.log.Error("socket: inbox was full, reading the logs of all users")
	h.mu.Lock()
	subs := make([]*subscription, 0, len(h.subs))
	for _, s := range h.subs {
		subs = append(subs, s)
	}
	h.mu.Unlock()
	for _, s := range subs {
		top, err := h.leases.redis.Get(ctx, h.keys.top(s.user)).Uint64()
		if err != nil && err != redis.Nil {
			h.log.Warn("socket: read the newest sequence", "user", s.user, "error", err)
			continue
		}
		s.mu.Lock()
		if s.joined && top > s.last {
			h.repair(ctx, s, top)
		}
		s.mu.Unlock()
	}
}

// pause waits for d or until ctx is cancelled.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
