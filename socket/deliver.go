package socket

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// deliver gives messages of one user, sorted by sequence, to the user's
// connections. What they have is dropped; where the predecessor is not what
// they have, the log fills the gap.
func (h *hub) deliver(ctx context.Context, s *subscription, entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined {
		s.early = append(s.early, entries...)
		return
	}
	h.advance(ctx, s, entries)
}

// catchUp is told the sequence up to which messages may have missed the
// server's inbox. The connections of a user who has just joined want none of
// these; after a new lease they have a part of them.
func (h *hub) catchUp(ctx context.Context, s *subscription, top uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.joined {
		s.joined, s.last = true, top
	} else if s.last < top { // the reader may be further by now
		h.repair(ctx, s, top)
	}
	early := s.early
	s.early = nil
	slices.SortFunc(early, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	h.advance(ctx, s, early)
}

// advance is deliver for a caller that holds mu.
func (h *hub) advance(ctx context.Context, s *subscription, entries []entry) {
	var next []frame
	for _, e := range entries {
		switch {
		case e.seq <= s.last:
		case e.previous == s.last:
			next = append(next, e.frame)
			s.last = e.seq
		default:
			s.fanOut(next...)
			h.repair(ctx, s, entries[len(entries)-1].seq)
			return
		}
	}
	s.fanOut(next...)
}

// repair reads what the connections do not have, which should go at least as far
// as upTo, from the user's log. When the log does not follow on what they have,
// they are closed: they have missed something and must learn of it.
func (h *hub) repair(ctx context.Context, s *subscription, upTo uint64) {
	entries, err := h.readLog(ctx, s.user, s.last)
	var next []frame
	for _, e := range entries {
		if e.previous != s.last {
			break
		}
		next = append(next, e.frame)
		s.last = e.seq
	}
	s.fanOut(next...)
	newest := upTo
	if len(entries) > 0 {
		newest = max(newest, entries[len(entries)-1].seq)
	}
	if err == nil && s.last == newest {
		return
	}
	h.log.Warn("socket: messages were missed", "user", s.user, "connections", len(s.conns),
		"have", s.last, "newest", newest, "error", err)
	s.last = newest
	s.fail(closeFrame(CloseMissed, "some messages were missed"))
}

// logPatience is how long a gap waits for a Redis that does not answer.
const logPatience = 5 * time.Second

// readLog returns the messages of a user's log after a sequence.
func (h *hub) readLog(ctx context.Context, user string, after uint64) ([]entry, error) {
	deadline := time.Now().Add(logPatience)
	for {
		messages, err := h.leases.redis.XRange(ctx, h.keys.log(user), "("+strconv.FormatUint(after, 10)+"-0", "+").Result()
		if err != nil {
			if ctx.Err() != nil || time.Now().After(deadline) {
				return nil, fmt.Errorf("read the log of user %q: %w", user, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		entries := make([]entry, 0, len(messages))
		for _, m := range messages {
			e, err := parseLog(user, m)
			if err != nil {
				return entries, fmt.Errorf("log of user %q, entry %s: %w", user, m.ID, err)
			}
			entries = append(entries, e)
		}
		return entries, nil
	}
}
