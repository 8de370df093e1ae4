package socket

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/redistest"
)

// fleet is some socket servers, each a process, and what stands in front of them
// in production: who dials reaches one that lives.
type fleet struct {
	t     testing.TB
	redis string
	env   []string

	mu      sync.Mutex
	servers []*process
}

// newFleet starts as many servers, which run until the test ends.
func newFleet(t testing.TB, redisAddr string, servers int, env ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, redis: redisAddr, env: env}
	for range servers {
		f.add()
	}
	return f
}

// add starts another server. One that could not reach Redis is started again, as
// a supervisor does.
func (f *fleet) add() {
	f.t.Helper()
	redistest.Eventually(f.t, 3*patience, "a server to start", func() bool {
		p, err := launch(f.t, "socket", f.redis, f.env...)
		if err != nil {
			p.end(syscall.SIGKILL)
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.servers = append(f.servers, p)
		return true
	})
}

// end ends the oldest server with a signal and returns when it is gone.
func (f *fleet) end(sig syscall.Signal) {
	f.mu.Lock()
	oldest := f.servers[0]
	f.servers = f.servers[1:]
	f.mu.Unlock()
	oldest.end(sig)
}

// dialer opens WebSockets to the fleet, whatever their URL says.
func (f *fleet) dialer() *websocket.Dialer { return dialerTo(f.addresses) }

// addresses returns where the servers listen.
func (f *fleet) addresses() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]string, len(f.servers))
	for i, p := range f.servers {
		all[i] = strings.TrimPrefix(p.line, "ws://")
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// dialerTo opens WebSockets to the first of some addresses where anybody listens.
func dialerTo(addresses func() []string) *websocket.Dialer {
	return &websocket.Dialer{
		ReadBufferSize: 1 << 10, WriteBufferPool: new(sync.Pool),
		NetDialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			d := net.Dialer{Timeout: 5 * time.Second}
			failed := errors.New("no server")
			for _, addr := range addresses() {
				conn, err := d.DialContext(ctx, network, addr)
				if err == nil {
					return conn, nil
				}
				failed = err
			}
			return nil, failed
		},
	}
}
