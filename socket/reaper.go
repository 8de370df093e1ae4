package socket

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Reaper takes the users of servers that were killed, or that stopped and left
// some to come back elsewhere, out of their directories, and so makes OnOffline
// run for those who have no other connection. It does so when Server.Lease and
// Server.OfflineAfter of that server are over, which it reads from Redis. Every
// Server runs one; a worker should too, for when no server is left. Any number
// may run.
type Reaper struct {
	// Redis is where the servers have their leases. Required.
	Redis redis.UniversalClient
	// Prefix is the application's, as in Sender.
	Prefix string
	// Jobs pushes the presence jobs. nil means a client on Redis.
	Jobs *jobs.Client
	// Logger is told of dead servers. nil means slog.Default().
	Logger *slog.Logger
}

const (
	reapInterval = time.Second
	// reapGrace is what live servers get to renew their leases after Redis was away.
	reapGrace = 5 * time.Second
	// reapClaim is how long a reaper has a dead server before another may try.
	reapClaim = 15 * time.Second
	// reapersPerServer is how many users of a dead server are dealt with at once.
	reapersPerServer = 16
)

// Run reaps until ctx is cancelled, and then returns nil. A Redis that cannot
// be reached is tried again.
//
// When Redis was away, every lease may be over although all servers live. So
// they are given some seconds to renew before any of them is reaped. When Redis'
// clock was set ahead, all leases are over as well: then, and at the start, before
// which the clock may have been set, a lease counts as over when the Reaper has
// waited for as long as it is. When the clock was set back, the Reaper goes by the
// own one.
func (r *Reaper) Run(ctx context.Context) error {
	log := logger(r.Logger)
	ticker := time.NewTicker(reapInterval)
	defer ticker.Stop()
	l := leases{r.Redis, newKeyspace(r.Prefix)}
	trouble := redisstep.Outage{Log: log, What: "socket: reap dead servers"}
	var w watch
	var notBefore time.Time
	for {
		dead, err := r.look(ctx, l, &w, log, &notBefore)
		if err == nil && len(dead) > 0 {
			err = r.reap(ctx, l, dead, log)
		}
		if ctx.Err() == nil {
			trouble.Note(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// look returns the dead. After a time in which Redis was away there are none for a
// while.
func (r *Reaper) look(ctx context.Context, l leases, w *watch, log *slog.Logger, notBefore *time.Time) ([]leaseSeen, error) {
	before, last := time.Now(), w.last.after
	redisNow, others, seen, err := l.look(ctx, w.page)
	if err != nil {
		return nil, err
	}
	now := time.Now() // after the answer, which a Redis that stalls gives late
	if step := w.read(reading{redisNow, before, now}); step != 0 {
		log.Warn("socket: Redis' clock was set, leases are given the time to be renewed", "by", step)
	}
	if !last.IsZero() && now.Sub(last) > 3*reapInterval {
		*notBefore = now.Add(reapGrace)
		w.forget()
	}
	dead := w.dead(seen)
	w.turn(others)
	if now.Before(*notBefore) {
		return nil, nil
	}
	return dead, nil
}

// reap claims the dead and releases their users.
func (r *Reaper) reap(ctx context.Context, l leases, seen []leaseSeen, log *slog.Logger) error {
	dead, err := l.claim(ctx, seen, reapClaim)
	if err != nil {
		return err
	}
	p := presence{r.Redis, l.keys, r.jobs()}
	var failed error
	for _, server := range dead {
		// One that stopped has taken its inbox with it.
		inboxes, err := r.Redis.Exists(ctx, l.keys.inbox(server)).Result()
		users := 0
		if err == nil {
			users, err = p.release(ctx, server)
		}
		if err == nil {
			err = directory{r.Redis, l.keys}.release(ctx, server)
		}
		if err == nil {
			err = l.drop(ctx, server)
		}
		if err != nil { // the next claim tries again
			failed = errors.Join(failed, fmt.Errorf("server %s: %w", server, err))
			continue
		}
		if inboxes == 0 {
			log.Info("socket: the last users of a stopped server were released", "server", server, "users", users)
			continue
		}
		log.Warn("socket: server is dead, its users were released", "server", server, "users", users)
	}
	return failed
}

func (r *Reaper) jobs() *jobs.Client {
	if r.Jobs != nil {
		return r.Jobs
	}
	c := jobs.NewClient(r.Redis)
	c.Prefix = r.Prefix
	return c
}

// release takes every user in the set of a server out of the directory and
// pushes the transitions, also those that the server recorded and did not get
// to push. Everything may be done again, or by two at once. A user with whom it
// fails does not keep it from the others.
func (p presence) release(ctx context.Context, server string) (users int, err error) {
	var g errgroup.Group
	g.SetLimit(reapersPerServer)
	scan := p.redis.SScan(ctx, p.keys.users(server), 0, "", 500).Iterator()
	for scan.Next(ctx) {
		user := scan.Val()
		users++
		g.Go(func() error {
			if unpushed, err := p.unregister(ctx, user, server); err != nil || !unpushed {
				return err
			}
			return p.flush(ctx, user)
		})
	}
	if err := g.Wait(); err != nil {
		return users, err
	}
	if err := scan.Err(); err != nil {
		return users, fmt.Errorf("list users: %w", err)
	}
	return users, nil
}

func logger(l *slog.Logger) *slog.Logger {
	if l != nil {
		return l
	}
	return slog.Default()
}
