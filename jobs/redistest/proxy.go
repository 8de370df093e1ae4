package redistest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// Proxy stands between clients and a Redis and fails on request. Without a
// request it passes everything on. It is closed with the test.
type Proxy struct {
	// Addr is the "host:port" that clients connect to.
	Addr string

	upstream string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[*proxyConn]struct{}
	holds  map[*hold]struct{}
	held   int
	rule   cutRule
	cuts   int
}

// cutRule says which replies are cut: those to every n-th request that
// contains one of the strings (any request when there are none).
type cutRule struct {
	every, seen int
	match       []string
}

type hold struct {
	match    []byte
	released chan struct{}
}

// NewProxy starts a Proxy in front of the Redis at addr.
func NewProxy(t testing.TB, addr string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr: l.Addr().String(), upstream: addr, listener: l,
		conns: map[*proxyConn]struct{}{}, holds: map[*hold]struct{}{},
	}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// CutReplies cuts the connection after every n-th request, counted from now:
// Redis has carried it out, and the client never gets the reply. With match,
// only requests that contain one of the strings count. It may be part of a
// command name, key or argument; the bytes of a command are the RESP ones. With
// n = 0 nothing is cut any more.
func (p *Proxy) CutReplies(n int, match ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = cutRule{every: n, match: match}
}

// Cuts returns how many replies were cut so far.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Hold keeps back every request that contains match, and what follows it on
// the same connection, until release is called. A request whose client went
// away meanwhile is dropped. Requests of all other connections pass.
func (p *Proxy) Hold(match []byte) (release func()) {
	h := &hold{match: match, released: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holds[h] = struct{}{}
	return sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.holds, h)
		close(h.released)
	})
}

// Held returns how many requests are being held now.
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// CutAll closes every connection there is now. New ones are accepted.
func (p *Proxy) CutAll() { p.CutSome(1) }

// CutSome closes each connection there is now with the given probability, and
// returns how many it closed. New ones are accepted.
func (p *Proxy) CutSome(probability float64) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if rand.Float64() < probability {
			c.close()
			n++
		}
	}
	return n
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		client.Close()
		return
	}
	c := &proxyConn{proxy: p, client: client, server: server, done: make(chan struct{})}
	p.mu.Lock()
	p.conns[c] = struct{}{}
	if p.closed {
		c.close()
	}
	p.mu.Unlock()
	c.run()
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

func (p *Proxy) close() {
	p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for h := range p.holds {
		delete(p.holds, h)
		close(h.released)
	}
	p.mu.Unlock()
	p.CutAll()
	p.running.Wait()
}

// cutAfter reports whether the reply to this request is to be cut.
func (p *Proxy) cutAfter(request []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rule.every <= 0 || !containsAny(request, p.rule.match) {
		return false
	}
	p.rule.seen++
	if p.rule.seen%p.rule.every != 0 {
		return false
	}
	p.cuts++
	return true
}

// wait blocks while a hold matches the request. It returns false when done was
// closed meanwhile.
func (p *Proxy) wait(request []byte, done <-chan struct{}) bool {
	for {
		h := p.holdFor(request)
		if h == nil {
			return true
		}
		select {
		case <-h.released:
			p.unhold()
		case <-done:
			p.unhold()
			return false
		}
	}
}

func (p *Proxy) holdFor(request []byte) *hold {
	p.mu.Lock()
	defer p.mu.Unlock()
	for h := range p.holds {
		if bytes.Contains(request, h.match) {
			p.held++
			return h
		}
	}
	return nil
}

func (p *Proxy) unhold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held--
}

func containsAny(request []byte, match []string) bool {
	for _, m := range match {
		if bytes.Contains(request, []byte(m)) {
			return true
		}
	}
	return len(match) == 0
}
