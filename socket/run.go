package socket

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	retryPause  = 500 * time.Millisecond // between attempts while Redis is away
	syncPause   = time.Second            // between attempts to tell Redis about users
	stopTimeout = 10 * time.Second       // for what a stopping server has to tell Redis
)

// begin takes the first lease.
func (h *hub) begin(ctx context.Context) error {
	l, err := h.leases.take(ctx, newID(), h.lease)
	if err != nil {
		return err
	}
	h.current.Store(&l)
	return nil
}

// run serves until ctx is cancelled and everything has stopped.
func (h *hub) run(ctx context.Context) {
	var background sync.WaitGroup
	background.Go(func() { _ = h.reaper.Run(ctx) }) // returns nil
	// These go on while the connections are closed: messages that were
	// accepted are still delivered, and leaving users are still told of.
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	background.Go(func() { h.wheel.run(serving) })
	background.Go(func() { h.serve(serving) })
	background.Go(func() { h.keepTelling(serving) })
	<-ctx.Done()
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
		h.keepLease(ctx, server)
		stop()
		h.wake(server)
		reader.Wait()
		if ctx.Err() != nil {
			return
		}
		h.log.Warn("socket: lease was lost, registering all users anew", "server", server)
		for ctx.Err() == nil {
			err := h.begin(ctx)
			if err == nil {
				break
			}
			h.log.Error("socket: take a new lease", "error", err)
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

// keepLease renews the lease until it is lost or ctx is cancelled.
func (h *hub) keepLease(ctx context.Context, server string) {
	wait := h.lease * 3 / 10
	for {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		l, err := h.leases.renew(ctx, server, h.lease)
		switch {
		case err == nil:
			h.current.Store(&l)
			wait = h.lease * 3 / 10
		case errors.Is(err, errLeaseOver):
			return
		case ctx.Err() == nil:
			h.log.Warn("socket: renew lease", "error", err)
			wait = min(retryPause, h.lease/10)
		}
	}
}

// keepTelling tells Redis, again and again, what it could not be told.
func (h *hub) keepTelling(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, syncPause)
		if err := h.sync(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("socket: Redis is behind", "error", err)
		}
	}
}

// closeAll closes every connection and waits until all have ended and their
// handlers have returned.
func (h *hub) closeAll() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	conns := h.connections()
	for _, c := range conns {
		c.finish(closeFrame(CloseRestart, "the server is restarting"))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.work.Wait()
	}()
	force := time.AfterFunc(closeReply, func() {
		for _, c := range conns {
			c.end()
		}
	})
	defer force.Stop()
	select {
	case <-done:
	case <-time.After(h.drain):
		h.log.Warn("socket: handlers are still running, their contexts are cancelled")
	}
	h.cancel()
	<-done
}

// leaveRedis takes out of Redis what is left of this server. What Redis cannot be
// told, a reaper does.
func (h *hub) leaveRedis() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(h.base), stopTimeout)
	defer cancel()
	h.syncAll()
	err := h.sync(ctx)
	server := h.current.Load().server
	if err == nil {
		_, err = h.presence.release(ctx, server)
	}
	if err == nil {
		err = h.leases.drop(ctx, server)
	}
	if err != nil {
		h.log.Warn("socket: left in Redis for a reaper", "server", server, "error", err)
	}
}
