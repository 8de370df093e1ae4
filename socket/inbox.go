package socket

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

const (
	inboxBatch = 128         // entries, each of up to about batchBytes
	inboxBlock = time.Second // also the longest that a stop waits for the reader
	inboxPause = 200 * time.Millisecond
)

// An inbox keeps what was handled until there is about so much of it, or until
// nothing new came for a while: a trip for every batch would cost as much as the
// reading.
const (
	inboxKeeps      = 1000    // entries
	inboxKeepsBytes = 1 << 20 // of them
)

// receive reads the inbox of an incarnation from its beginning and delivers
// what it finds, until ctx is cancelled. It never starts at the end: what was
// sent between the making of the inbox and the first read would be lost.
func (h *hub) receive(ctx context.Context, server string) {
	inbox := h.keys.inbox(server)
	entries, bytes := 0, 0 // handled, and still in the inbox
	reading := redisstep.Outage{Log: h.log, What: "socket: read inbox"}
	trimming := redisstep.Outage{Log: h.log, What: "socket: trim inbox"}
	for after := "0-0"; ctx.Err() == nil; {
		streams, err := h.leases.redis.XRead(ctx, &redis.XReadArgs{
			Streams: []string{inbox, after}, Count: inboxBatch, Block: inboxBlock,
		}).Result()
		if err != nil && err != redis.Nil {
			if ctx.Err() == nil {
				reading.Note(err, "server", server)
				pause(ctx, inboxPause)
			}
			continue
		}
		reading.Note(nil, "server", server)
		if err == nil {
			messages := streams[0].Messages
			after = messages[len(messages)-1].ID
			h.current.Load().census.reached(after)
			overrun := len(messages) == inboxBatch && h.overrun(ctx, inbox)
			entries, bytes = entries+len(messages), bytes+h.distribute(ctx, messages)
			if overrun {
				after = h.skip(ctx, inbox, after)
			}
		}
		idle := err == redis.Nil && entries > 0
		if idle || entries >= inboxKeeps || bytes >= inboxKeepsBytes {
			if err := h.trim(ctx, inbox, after); ctx.Err() == nil {
				trimming.Note(err, "server", server)
			}
			entries, bytes = 0, 0
		}
	}
}

// trim takes what was handled out of the inbox. The entry that was handled last
// stays: a stream that is never empty is the simplest proof that the inbox is there.
func (h *hub) trim(ctx context.Context, inbox, after string) error {
	return h.leases.redis.XTrimMinID(ctx, inbox, after).Err()
}

// distribute delivers a batch, and returns how large it was.
func (h *hub) distribute(ctx context.Context, messages []redis.XMessage) (bytes int) {
	var touched []*subscription
	for _, m := range messages {
		entry, _ := m.Values["b"].(string)
		bytes += len(entry)
		if entry == "" { // a mark: it makes the stream, or wakes its reader
			continue
		}
		err := parseEntry(entry, func(ch channel, at position, r record) {
			// The channel's name is a part of the entry, which is not to be kept for it.
			if s := h.find(ch); s != nil && s.deliver(delivery{s.channel, at, r}) {
				touched = append(touched, s)
			}
		}, h.memberships.noteTopic)
		if err != nil {
			// The channels' next messages show the gap.
			h.log.Error("socket: inbox entry is not readable", "entry", m.ID, "error", err)
		}
	}
	for _, s := range touched {
		h.finish(ctx, s)
	}
	return bytes
}

// overrun tells whether the inbox is so full that its oldest entries may have
// been cut off unread.
func (h *hub) overrun(ctx context.Context, inbox string) bool {
	n, err := h.leases.redis.XLen(ctx, inbox).Result()
	return err == nil && n > inboxLimit*9/10
}

// skip leaves an inbox that may have been cut off unread, up to its newest
// entry, whose id it returns, and brings the channels up to date from their logs,
// and the topics of all users, of which the inbox may have told too.
func (h *hub) skip(ctx context.Context, inbox, after string) string {
	h.log.Error("socket: inbox was full, reading the logs of all channels")
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
	for _, s := range subs {
		if s.user != "" {
			h.memberships.note(s.user)
		}
	}
	return after
}

// compare delivers what the channels have more than their connections. Where
// Redis does not tell, the connections may have missed something and are told so.
func (h *hub) compare(ctx context.Context, subs []*subscription) {
	pipe := h.leases.redis.Pipeline()
	states := make([]*redis.StringCmd, len(subs))
	for i, s := range subs {
		states[i] = pipe.Get(ctx, h.keys.state(s.channel))
	}
	_, _ = pipe.Exec(ctx) // every command has its own error
	for i, s := range subs {
		value, err := states[i].Result()
		if err == redis.Nil {
			err = nil
		}
		newest, wrong := parseState(value)
		s.mu.Lock()
		switch {
		case cmp.Or(err, wrong) != nil:
			s.missed()
		case s.joined && newest.point != s.last:
			h.repair(ctx, s, newest.seq)
		}
		s.flush()
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
