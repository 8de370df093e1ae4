package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
)

// balancer is what stands in front of the processes in production: requests for
// /socket go to the socket servers in turn, all others to the web server. On its
// wire packets may vanish.
type balancer struct {
	*httptest.Server
	wire    *wire
	web     *backend
	sockets []*backend
	next    atomic.Int64
}

type backend struct {
	proxy    *httputil.ReverseProxy
	accepted atomic.Int64 // connections upgraded to WebSocket
}

func newBalancer(t *testing.T, web *program, sockets ...*program) *balancer {
	b := &balancer{web: newBackend(t, web)}
	for _, p := range sockets {
		b.sockets = append(b.sockets, newBackend(t, p))
	}
	b.Server = httptest.NewUnstartedServer(b)
	b.wire = newWire(b.Listener)
	b.Listener = b.wire
	b.Start()
	t.Cleanup(func() {
		b.wire.mend()
		b.Close()
	})
	return b
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := b.web
	if r.URL.Path == "/socket" {
		to = b.sockets[b.next.Add(1)%int64(len(b.sockets))]
	}
	to.proxy.ServeHTTP(w, r)
}

func newBackend(t *testing.T, p *program) *backend {
	target, err := url.Parse(p.url)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{}
	b.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the origin of the page is compared with it
		},
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode == http.StatusSwitchingProtocols {
				b.accepted.Add(1)
			}
			return nil
		},
		// A server that has stopped: the page tries again and meets the next.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return b
}
