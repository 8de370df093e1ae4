package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// stage is what one workload of one side runs on: a Redis and a server of its
// own.
type stage struct {
	side          side
	generator     []string
	redis, server *process
	redisAddr     string
	addr          string // of the server
}

// raise starts a stage. serve are more arguments of the server.
func raise(ctx context.Context, s side, generator []string, serve ...string) (_ *stage, err error) {
	st := &stage{side: s, generator: generator}
	defer func() {
		if err != nil {
			st.strike()
		}
	}()
	if st.redis, st.redisAddr, err = startRedis(ctx); err != nil {
		return nil, err
	}
	if st.addr, _, err = freeAddr(); err != nil {
		return nil, err
	}
	st.server, err = start(ctx, s.name+" server", append(s.serving(st.addr, st.redisAddr), serve...)...)
	if err != nil {
		return nil, err
	}
	if err := st.server.until(ctx, startTimeout, "the server to be ready", st.ready); err != nil {
		return nil, err
	}
	return st, nil
}

// strike ends what there is of the stage.
func (st *stage) strike() {
	for _, p := range []*process{st.server, st.redis} {
		if p != nil {
			p.stop()
		}
	}
}

// once is for requests to processes that soon end.
var once = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// ready tells whether the server answers, and not that it is not ready yet. A
// peer without this path is ready when it says so.
func (st *stage) ready() bool {
	answer, err := once.Get("http://" + st.addr + "/readyz")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode != http.StatusServiceUnavailable
}

const (
	openTimeout   = 2 * time.Minute  // for opening all connections
	arriveTimeout = 3 * time.Minute  // for the arrival of all messages
	holdTimeout   = 10 * time.Minute // how long idle connections stay at most
)

// connect starts a load generator and waits until its connections are open and
// the server has had a moment to recover from that.
func (st *stage) connect(ctx context.Context, c config, conns int, args ...string) (*process, error) {
	load, err := start(ctx, "load generator", append(st.side.loading(st.generator, st.addr, conns), args...)...)
	if err != nil {
		return nil, err
	}
	err = load.until(ctx, openTimeout, "the connections to open", func() bool { return load.out.line(readyLine) != "" })
	if err == nil && !strings.Contains(load.out.line(readyLine), " failed=0 ") {
		err = fmt.Errorf("not all connections could be opened:\n%s\n%s", load.out.tail(), st.server.out.tail())
	}
	if err != nil {
		load.stop()
		return nil, err
	}
	wait(ctx, c.settle)
	return load, nil
}
