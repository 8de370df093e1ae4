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
		h.current.Load().census.reached(after)
		overrun := len(messages) == inboxBatch && h.overrun(ctx, inbox)
		h.distribute(ctx, messages)
		if overrun {
			after = h.skip(ctx, inbox, after)
		}
		// The one that was handled last stays: a stream that is never empty is
		// the simplest proof that the inbox is there.
		if err := h.leases.redis.XTrimMinID(ctx, inbox, after).Err(); err != nil && ctx.Err() == nil {
			h.log.Warn("socket: trim inbox", "server", server, "error", err)
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

// skip leaves an inbox that may have been cut off unread, up to its newest
// entry, whose id it returns, and brings the users up to date from their logs.
func (h *hub) skip(ctx context.Context, inbox, after string) string {
	h.log.Error("socket: inbox was full, reading the logs of all users")
	newest, err := h.leases.redis.XRevRangeN(ctx, inbox, "+", "-", 1).Result()
	if err == nil && len(newest) == 1 {
		after = newest[0].ID
	}
	h.mu.Lock()
	subs := make([]*subscription, 0, len(h.subs))
	for _, s := range h.subs {
		subs = append(subs, s)
	}
	h.mu.Unlock()
	for some := range slices.Chunk(subs, inboxBatch) {
		h.compare(ctx, some)
	}
	return after
}

// compare delivers what the users' logs have more than their connections. Where
// Redis does not tell, the connections may have missed something and are closed.
func (h *hub) compare(ctx context.Context, subs []*subscription) {
	pipe := h.leases.redis.Pipeline()
	tops := make([]*redis.StringCmd, len(subs))
	for i, s := range subs {
		tops[i] = pipe.Get(ctx, h.keys.top(s.user))
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	for i, s := range subs {
		top, err := tops[i].Uint64()
		s.mu.Lock()
		switch {
		case err != nil && err != redis.Nil:
			s.fail(closeFrame(CloseMissed, "some messages were missed"))
		case s.joined && top > s.last:
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
