package client

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"sync"
	"time"
)

// Run connects and stays connected until ctx is cancelled; then it writes what is
// in the buffer, closes the connection and returns nil, after the handler that is
// running has returned. When the server says that coming back is of no use it
// returns an error: a *CloseError, an *HTTPError (either matches ErrUnauthorized
// where credentials were refused), ErrNoProtocol or ErrTooBig. Everything else it
// tries again.
//
// Afterwards Send and Request fail with ErrClosed, until Run is called again,
// which is allowed, with other credentials for instance. It goes on from the
// positions and with the messages that were left. Run fails when it is running
// already.
func (c *Client) Run(ctx context.Context) error {
	u, err := endpoint(c.URL)
	if err != nil {
		return err
	}
	if !c.running.CompareAndSwap(false, true) {
		return errors.New("socket client: Client is running already")
	}
	defer c.running.Store(false)
	c.begin()
	defer c.stop()
	r := run{Client: c, endpoint: u}
	for ctx.Err() == nil {
		e := r.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		if e.final {
			return e.err
		}
		r.rest(ctx, e)
	}
	return nil
}

// run is what one Run remembers from one attempt to the next.
type run struct {
	*Client
	endpoint *url.URL
	pace     pace
	// credentials are those of the attempt; refused those that the server refused
	// last, and refusal how, nil once it has accepted others.
	credentials, refused []byte
	refusal              error
}

// handlers returns the context that handlers get.
func (r *run) handlers(ctx context.Context) context.Context {
	return context.WithValue(ctx, handlerKey{}, r.Client)
}

// ending is how an attempt ended, or the connection that it led to.
type ending struct {
	err     error
	final   bool          // another attempt would be of no use
	refused bool          // the credentials were
	lasted  time.Duration // of the accepted connection
	least   time.Duration // to wait
	atOnce  bool          // come back soon, whatever failed before
}

// failed returns how an attempt ended that failed with err.
func failed(err error) ending {
	e := ending{err: err}
	var closed *CloseError
	var refused busy
	switch {
	case errors.As(err, &closed):
		e.refused = closed.Code == codeUnauthenticated
		e.final, e.atOnce, e.least = closed.never(), closed.atOnce(), closed.least()
	case errors.As(err, &refused):
		e.err, e.least = refused.error, refused.least
		e.final = errors.Is(err, ErrUnauthorized)
	case errors.Is(err, ErrNoProtocol), errors.Is(err, ErrTooBig):
		e.final = true
	}
	return e
}

// attempt connects, and serves the connection until it ends.
func (r *run) attempt(ctx context.Context) ending {
	l, w, e := r.connect(ctx)
	if e.err == nil {
		e = r.hold(ctx, l, w)
	}
	if l != nil && l.advice > 0 { // the server knows better than the failures before
		e.least, e.atOnce = max(e.least, l.advice), true
	}
	// A client whose credentials were refused has one more attempt, with others.
	if e.refused && r.Auth != nil && r.refusal == nil {
		e.final = false
		r.refused, r.refusal = r.credentials, e.err
	}
	return e
}

// hold serves an accepted connection.
func (r *run) hold(ctx context.Context, l *link, w *welcome) (e ending) {
	release := whenDone(ctx, func() { r.leave(l) })
	defer func() { // also when a handler panics
		release()
		r.lose(l, e.err)
		e.lasted = time.Since(l.began)
	}()
	ctx = r.handlers(ctx)
	if e := r.introduce(ctx, l, w); e.err != nil {
		return e
	}
	return r.serve(ctx, l)
}

// rest waits until the next attempt.
func (r *run) rest(ctx context.Context, e ending) {
	wait := r.pace.after(e, r.Backoff)
	r.become(Waiting)
	r.log().Info("socket client: not connected", "host", r.endpoint.Host, "error", e.err, "wait", wait)
	if r.OnDisconnected != nil {
		r.OnDisconnected(r.handlers(ctx), e.err, wait)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// begin opens the client for those who send.
func (c *Client) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = false
	if c.dialing == nil {
		c.dialing = make(chan struct{}, 1)
	}
	if c.positions == nil {
		c.positions = make(map[string]string)
		maps.Copy(c.positions, c.Resume)
	}
}

// stop ends what waits.
func (c *Client) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.state = Stopped
	c.unsent()
	c.moved()
	if n := len(c.out.waiting); n > 0 {
		c.log().Warn("socket client: stopped with messages that were not sent", "messages", n)
	}
}

// lose closes a link and waits for everything that uses it.
func (c *Client) lose(l *link, cause error) {
	_ = l.conn.Close() // nothing is to be done about an error
	c.mu.Lock()
	c.state, c.link = Waiting, nil
	l.ended = true
	if l.timer != nil && l.timer.Stop() {
		l.work.Done()
	}
	if l.farewell != nil && l.farewell.Stop() {
		l.work.Done()
	}
	if l.held != nil && l.held.Stop() {
		l.work.Done()
	}
	c.mu.Unlock()
	l.work.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unanswered(cause)
	c.moved()
}

// whenDone calls f when ctx ends, unless the function that it returns is called
// before. That waits for f, and may be called once.
func whenDone(ctx context.Context, f func()) (release func()) {
	var calling sync.WaitGroup
	calling.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer calling.Done()
		f()
	})
	return func() {
		if stop() {
			calling.Done()
		}
		calling.Wait()
	}
}
