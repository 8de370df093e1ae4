package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

const (
	retryPause  = 500 * time.Millisecond // between attempts while Redis is away
	syncPause   = time.Second            // between attempts to tell Redis about users
	stopTimeout = 10 * time.Second       // for what a stopping server has to tell Redis
)

// begin takes a lease under a new name. What Redis is told under it holds for the
// lease and, after its end, for as long as users may be away. One that restores
// tells Redis also in which topics the users are.
func (h *hub) begin(ctx context.Context, restores bool) error {
	anew := h.current.Load() != nil
	l, err := h.leases.take(ctx, newID(), h.lease+h.offlineAfter, anew)
	if err != nil {
		return err
	}
	l.restores = restores
	h.hold(l)
	return nil
}

// hold puts a lease in place of the one before.
func (h *hub) hold(l lease) {
	l.replaced = make(chan struct{})
	if before := h.current.Swap(&l); before != nil {
		close(before.replaced)
	}
}

// renewalPatience is how long a registration waits for the lease to be renewed.
const renewalPatience = time.Second

// underLease does something that needs the lease. Where Redis says that it is over,
// as it does when its clock was set, the lease is renewed first.
func (h *hub) underLease(ctx context.Context, do func(*lease) error) error {
	l := h.current.Load()
	err := do(l)
	if !errors.Is(err, errLeaseOver) {
		return err
	}
	select {
	case h.beat <- struct{}{}:
	default:
	}
	late := time.NewTimer(renewalPatience)
	defer late.Stop()
	select {
	case <-l.replaced:
		return do(h.current.Load())
	case <-late.C:
	case <-ctx.Done():
	}
	return err
}

// run serves until ctx is cancelled and everything has stopped.
func (h *hub) run(ctx context.Context) {
	// All of it goes on while the connections are closed: messages that were
	// accepted are still delivered, and leaving users are still told of.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { h.wheel.run(serving) })
	background.Go(func() { _ = h.reaper.Run(serving) }) // returns nil
	background.Go(func() { h.serve(serving) })
	background.Go(func() { h.keepTelling(serving) })
	background.Go(func() { h.endGraces(serving) })
	background.Go(func() { h.keepMemberships(serving) })
	<-ctx.Done()
	h.leaving.Store(true)
	pause(serving, h.shutdownDelay)
	h.closeAll()
	stop()
	background.Wait()
	h.leaveRedis()
}

// serve keeps a lease and reads its inbox, one incarnation after the other.
func (h *hub) serve(ctx context.Context) {
	for ctx.Err() == nil {
		server := h.current.Load().server
		reading, stop := context.WithCancel(ctx)
		var reader sync.WaitGroup
		reader.Go(func() { h.receive(reading, server) })
		err := h.keepLease(ctx)
		stop()
		h.wake(server)
		reader.Wait()
		if ctx.Err() != nil {
			return
		}
		// The old name is left to the reapers: there may be users under it of
		// whose leaving Redis no longer knows.
		h.log.Warn("socket: registering all users anew", "server", server, "reason", err)
		restores := errors.Is(err, errWentBack)
		trouble := redisstep.Outage{Log: h.log, What: "socket: take a new lease"}
		for ctx.Err() == nil {
			err = h.begin(ctx, restores)
			if trouble.Note(err); err == nil {
				break
			}
			pause(ctx, retryPause)
		}
		// keepTelling does it: the new lease has to be renewed meanwhile.
		h.syncAll()
	}
}

// wake ends the reader's wait for its inbox. When Redis cannot be reached, the
// wait ends by itself.
func (h *hub) wake(server string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.base), inboxBlock)
	defer cancel()
	_ = h.leases.redis.XAdd(ctx, &redis.XAddArgs{
		Stream: h.keys.inbox(server), NoMkStream: true, Values: []any{"b", ""},
	}).Err()
}

// keepLease renews the lease until ctx is cancelled or the server has to begin
// anew; it returns why.
func (h *hub) keepLease(ctx context.Context) error {
	wait := h.lease * 3 / 10
	trouble := redisstep.Outage{Log: h.log, What: "socket: renew lease"}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		case <-h.beat:
		}
		l, err := h.leases.renew(ctx, *h.current.Load(), h.lease+h.offlineAfter)
		switch {
		case err == nil:
			trouble.Note(nil)
			h.hold(l)
			wait = h.lease * 3 / 10
		case errors.Is(err, errLeaseOver), errors.Is(err, errWentBack):
			return err
		case ctx.Err() == nil:
			trouble.Note(err)
			wait = min(retryPause, h.lease/10)
		}
	}
}

// keepTelling tells Redis, again and again, what it could not be told.
func (h *hub) keepTelling(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, syncPause)
		if err := h.sync(ctx); ctx.Err() == nil {
			h.behind.Note(err)
		}
	}
}

// endGraces takes the users out of presence who did not come back in time.
func (h *hub) endGraces(ctx context.Context) {
	for h.offlineAfter > 0 {
		channels, next := h.grace.over(time.Now())
		// What Redis cannot be told now, keepTelling tells it.
		if err := h.syncChannels(ctx, channels); err != nil && ctx.Err() == nil {
			h.behind.Note(err)
		}
		pause(ctx, next)
		if ctx.Err() != nil {
			return
		}
	}
}

// leaveRedis takes out of Redis what is left of this server, but for the users
// who may be coming back to another one: these a reaper takes out, as it does
// what Redis cannot be told now.
func (h *hub) leaveRedis() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.base), stopTimeout)
	defer cancel()
	if h.unregisterOnStop {
		h.grace.clear()
	}
	h.syncAll()
	err := h.sync(ctx)
	server := h.current.Load().server
	switch {
	case err != nil:
	case !h.grace.empty():
		err = h.leases.handOver(ctx, server, h.offlineAfter)
	default:
		_, err = h.presence.release(ctx, server)
		if err == nil {
			err = h.directory.release(ctx, server)
		}
		if err == nil {
			err = h.leases.drop(ctx, server)
		}
	}
	if err != nil {
		h.log.Warn("socket: left in Redis for a reaper", "server", server, "error", err)
	}
}
