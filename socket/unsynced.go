package socket

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// syncLater has Redis told about a channel as soon as it can be.
func (h *hub) syncLater(ch channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unsynced[ch] = struct{}{}
}

// syncAll has Redis told about every channel, under a new lease.
func (h *hub) syncAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for ch := range h.subs {
		h.unsynced[ch] = struct{}{}
	}
}

// sync tells Redis what it could not be told before. Channels of which it still
// cannot be told stay for the next time.
func (h *hub) sync(ctx context.Context) error {
	h.mu.Lock()
	channels := slices.Collect(maps.Keys(h.unsynced))
	clear(h.unsynced)
	h.mu.Unlock()
	return h.syncChannels(ctx, channels)
}

// syncChannels tells Redis about some channels, and has the others of which it
// cannot be told wait for the next sync.
func (h *hub) syncChannels(ctx context.Context, channels []channel) error {
	return inParallel(channels, func(ch channel) error {
		err := h.syncChannel(ctx, ch)
		if err != nil {
			h.syncLater(ch)
			err = fmt.Errorf("tell Redis about %s: %w", ch, err)
		}
		return err
	})
}

// syncTimeout bounds what one channel waits for Redis. It is short, since a
// stopping server waits for it.
const syncTimeout = 3 * time.Second

func (h *hub) syncChannel(ctx context.Context, ch channel) error {
	s := h.find(ch)
	if s == nil {
		return nil
	}
	s.sync.Lock()
	defer s.sync.Unlock()
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	return h.tellRedis(ctx, s)
}

// inParallel does something with each, some of them at once, and returns one of
// the errors.
func inParallel[T any](all []T, do func(T) error) (failed error) {
	var work sync.WaitGroup
	var mu sync.Mutex
	queue := make(chan T)
	for range min(syncs, len(all)) {
		work.Go(func() {
			for one := range queue {
				if err := do(one); err != nil {
					mu.Lock()
					failed = err
					mu.Unlock()
				}
			}
		})
	}
	for _, one := range all {
		queue <- one
	}
	close(queue)
	work.Wait()
	return failed
}
