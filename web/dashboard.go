package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"sync"

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
	if d.Password != "" && !d.knows(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="monitoring", charset="UTF-8"`)
		writeError(w, http.StatusUnauthorized, "the dashboard needs its password")
		return
	}
	if d.Password == "" && !local(r) {
		writeError(w, http.StatusForbidden, "without a password the dashboard is open only to the "+
			"machine that it runs on, as http://localhost")
		return
	}
	d.handler.ServeHTTP(w, r)
}

func (d *Dashboard) open() {
	monitor := asynqmon.New(asynqmon.Options{
		RootPath:     dashboardPath,
		RedisConnOpt: client{d.Redis},
	})
	d.handler = http.NewCrossOriginProtection().Handler(monitor)
}

// knows reports whether the request carries the password. The time it takes does
// not depend on how much of the password is right, nor on its length.
func (d *Dashboard) knows(r *http.Request) bool {
	_, password, _ := r.BasicAuth()
	given, want := sha256.Sum256([]byte(password)), sha256.Sum256([]byte(d.Password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// client lets Asynq use a client that exists already. It is never closed through it.
type client struct{ redis redis.UniversalClient }

func (c client) MakeRedisClient() any { return c.redis }
