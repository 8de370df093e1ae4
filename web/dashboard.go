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
// Who looks needs ScopeRead, and who changes something ScopeOperate; requests that
// change something must also come from its own pages.
type Dashboard struct {
	// Redis holds the queues. It is required.
	Redis redis.UniversalClient

	// Prefix is that of the app whose queues are shown, as in jobs.Client: those of others
	// in the same Redis are neither seen nor changed. A queue whose name only another
	// asynq client can have given it is the app's without a prefix. Empty means that app.
	Prefix string

	// Access decides who is let in. Nil lets nobody in.
	Access *Access

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
	if !d.Access.Admit(w, r, scopeOf(r)) {
		return
	}
	d.handler.ServeHTTP(w, r)
}

func (d *Dashboard) open() {
	monitor := asynqmon.New(asynqmon.Options{
		RootPath:         dashboardPath,
		RedisConnOpt:     connOpt{d.Redis},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(showText),
		ResultFormatter:  asynqmon.ResultFormatterFunc(showText),
	})
	d.handler = &dashboardAPI{owner: owner(d.Prefix), asynqmon: monitor, inspector: asynq.NewInspectorFromRedisClient(d.Redis)}
}

// connOpt lets Asynq use a client that exists already. It is never closed through it.
type connOpt struct{ redis redis.UniversalClient }

func (c connOpt) MakeRedisClient() any { return c.redis }
