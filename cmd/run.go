package cmd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/queuerun/queuerun/scheduler"
	"github.com/queuerun/queuerun/socket"
	"github.com/queuerun/queuerun/web"
	"github.com/redis/go-redis/v9"
)

// The stages in which a program with an embedded Redis stops. What brings work in
// goes first, then the worker when it has handled the leaving of the users: nothing
// that is left in this Redis will ever be run. Any other Redis keeps it for the next
// worker, and all stop at the same time, within the half minute that most platforms
// give a process.
const (
	intake = iota
	settling
	work
)

// Run runs the program until ctx is done, then stops it and returns nil. The roles
// are those of this process: "web", "socket", "worker" and "scheduler"; none means
// all of them. It returns an error when something is wrong with the program, when it
// cannot start, or when a part of it fails, in which case the others are stopped.
//
// Run reads neither the environment nor the command line and handles no signals.
// Main does.
//
// To stop, /readyz fails, for ShutdownDelay; then it takes no more requests and
// connections, closes the sockets with code 1012, and waits: up to 10 seconds for requests in flight, 15 for the
// handlers of messages, and Drain for running jobs. Ticks and jobs are not taken from
// the beginning. Users have a moment to come back to another process. An embedded Redis ends last, when
// the leaving of the users has been handled as well.
func (a App) Run(ctx context.Context, names ...string) error {
	if a.Listener != nil {
		defer a.Listener.Close()
	}
	set, err := parseRoles(names)
	if err != nil {
		return err
	}
	if err := socket.CheckOrigins(a.Origins); err != nil {
		return fmt.Errorf("App.Origins, ALLOWED_ORIGINS: %w", err)
	}
	if err := web.CheckHosts(a.Hosts); err != nil {
		return fmt.Errorf("App.Hosts, ALLOWED_HOSTS: %w", err)
	}
	store, err := openStore(ctx, a.RedisURL, a.Logger)
	if ctx.Err() != nil && err != nil {
		return nil // stopped before it was running
	}
	if err != nil {
		return err
	}
	defer store.close()
	handlers, err := a.handlers(store.client)
	if err != nil {
		return err
	}
	listener, err := a.listen(set, store)
	if err != nil {
		return err
	}
	p := &process{app: a, roles: set, store: store, handlers: handlers, listener: listener}
	return p.run(ctx)
}

// process is a program that has all it needs to run.
type process struct {
	app      App
	roles    roles
	store    *store
	handlers []jobs.Handler
	listener net.Listener // nil: nothing is served

	jobs   *jobs.Client
	sender *socket.Sender
	token  string // opens the dashboard; empty if that needs none
}

func (p *process) run(ctx context.Context) error {
	p.jobs = jobs.NewClient(p.store.client)
	p.jobs.Prefix = p.app.Prefix
	p.jobs.Handles = p.handlers
	p.sender = socket.NewSender(p.store.client)
	p.sender.Prefix = p.app.Prefix
	p.jobs.OnUpdate = func(ctx context.Context, update jobs.Info) error { // Whoever cancels may have no sender.
		return sendUpdate(p.sender.Context(ctx), update)
	}
	parts := p.parts()
	p.announce()
	p.announceToken()
	ctx = context.WithValue(ctx, redisKey{}, redis.UniversalClient(p.store.client))
	ctx = redisstep.Checked(ctx, p.store.client) // by openStore
	err := parts.run(p.jobs.Context(p.sender.Context(ctx)))
	if err == nil {
		p.app.logger().Info("queuerun stopped")
	}
	return err
}

func (p *process) parts() *group {
	g := &group{}
	work := work
	if p.store.embedded == nil {
		work = intake
	} else if p.roles.has(Socket) && p.roles.has(Worker) {
		g.add(settling, "presence", p.settle)
	}
	var sockets http.Handler
	if p.roles.has(Socket) {
		server := p.sockets()
		sockets = server
		g.add(intake, "socket", server.Run)
	}
	if p.listener != nil {
		g.add(intake, "web", p.web(sockets).Run)
	}
	if p.roles.has(Scheduler) {
		s := &scheduler.Scheduler{Redis: p.store.client, Jobs: p.jobs, Schedules: p.app.Schedules, Logger: p.app.Logger}
		g.add(intake, "scheduler", s.Run)
	}
	if p.roles.has(Worker) {
		w := &jobs.Worker{Redis: p.store.client, Prefix: p.app.Prefix, Handlers: p.handlers,
			Middleware: p.app.Middleware, OnUpdate: sendUpdate, Logger: p.app.Logger, Drain: p.app.Drain}
		g.add(work, "worker", w.Run)
		r := &socket.Reaper{Redis: p.store.client, Prefix: p.app.Prefix, Jobs: p.jobs, Logger: p.app.Logger}
		g.add(work, "reaper", r.Run)
	}
	return g
}

// sendUpdate tells the user of a job pushed with jobs.NotifyUser what became of it.
func sendUpdate(ctx context.Context, update jobs.Info) error {
	return socket.To(update.Job.UserID).Send(ctx, map[string]jobs.Info{"job": update})
}

func (p *process) sockets() *socket.Server {
	h := p.app.Socket
	if authenticate := p.app.Authenticate; h.OnConnect == nil && authenticate != nil {
		h.OnConnect = func(ctx context.Context, r *http.Request) (*socket.User, error) {
			return authenticate(r.WithContext(ctx))
		}
	}
	s := &socket.Server{Redis: p.store.client, Prefix: p.app.Prefix, Handlers: h, Jobs: p.jobs,
		Origins: p.app.Origins, Logger: p.app.Logger, ShutdownDelay: p.app.ShutdownDelay,
		UnregisterOnStop: p.store.embedded != nil} // nobody comes back to a Redis that has ended
	if p.app.ConfigureSocket != nil {
		p.app.ConfigureSocket(s)
	}
	return s
}

// web returns the server of what this process has to serve: everything in the web
// role, the sockets in the socket role, health and metrics in any case.
func (p *process) web(sockets http.Handler) *web.Server {
	access := p.dashboardAccess()
	s := &web.Server{Listener: p.listener, Redis: p.store.client, Socket: sockets, Hosts: p.hosts(),
		Metrics:     &web.Metrics{Redis: p.store.client, Prefix: p.app.Prefix, Access: access},
		BodyTimeout: p.app.BodyTimeout, ShutdownDelay: p.app.ShutdownDelay, Logger: p.app.Logger}
	if p.roles.has(Web) {
		s.App, s.Authenticate = p.app.HTTP, p.app.Authenticate
		s.Dashboard = &web.Dashboard{Redis: p.store.client, Prefix: p.app.Prefix, Access: access}
	}
	return s
}

// announce says what was started, and where to find it.
func (p *process) announce() {
	args := []any{"roles", p.roles.String(), "redis", p.store.String()}
	if p.listener != nil {
		args = append([]any{"url", pageURL(p.listener)}, args...)
	}
	p.app.logger().Info("queuerun started", args...)
}

func (a App) logger() *slog.Logger {
	if a.Logger == nil {
		return slog.Default()
	}
	return a.Logger
}
