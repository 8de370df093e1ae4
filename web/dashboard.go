package web

import (
	"net/http"
	"sync"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// Dashboard shows the queues and their jobs, and lets people retry, archive and
// delete them. It is an http.Handler for /monitoring and everything below it.
//
// Requests that change something must come from its own pages: those that another
// site makes a browser send are refused.
type Dashboard struct {
	// Redis holds the queues. It is required.
	Redis redis.UniversalClient

	// Password must be given by HTTP Basic authentication, with any user name.
	// Empty opens the dashboard to requests made on this machine, for development:
	// the client must have a loopback or private address (a container's host has
	// one), ask for a loopback name such as localhost, and not come by way of
	// a proxy.
	Password string

	once    sync.Once
	handler http.Handler
}

// ServeHTTP serves the dashboard.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.once.Do(d.open)
	// No page of another site may show the dashboard in a frame and have people
	// click on it.
	w.Header().Set("X-Frame-Options", "DENY")
	w.Header().Set("Referrer-Policy", "same-origin")
	d.handler.ServeHTTP(w, r)
}

func (d *Dashboard) open() {
	monitor := asynqmon.New(asynqmon.Options{
		RootPath:         dashboardPath,
		RedisConnOpt:     connOpt{d.Redis},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(showText),
		ResultFormatter:  asynqmon.ResultFormatterFunc(showText),
	})
	api := &dashboardAPI{asynqmon: monitor, inspector: asynq.NewInspectorFromRedisClient(d.Redis)}
	d.handler = guarded(d.Password, http.NewCrossOriginProtection().Handler(api))
}

// connOpt lets Asynq use a client that exists already. It is never closed through it.
type connOpt struct{ redis redis.UniversalClient }

func (c connOpt) MakeRedisClient() any { return c.redis }
