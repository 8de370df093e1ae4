package main

import (
	"net"
	"sync"
)

// wire is a listener whose connections stay open when it is cut while nothing
// passes any more, as when a laptop is carried out of a network: neither end is
// told. What was on its way arrives when it is mended.
type wire struct {
	net.Listener

	mu      sync.Mutex
	whole   chan struct{} // closed while it is
	answers bool          // only what goes to the clients is held back
}

func newWire(l net.Listener) *wire {
	w := &wire{Listener: l, whole: make(chan struct{})}
	close(w.whole)
	return w
}

func (w *wire) cut() { w.hold(false) }

// cutAnswers lets through what the clients send.
func (w *wire) cutAnswers() { w.hold(true) }

func (w *wire) hold(answers bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole, w.answers = make(chan struct{}), answers
}

// mend may be called twice.
func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.whole:
	default:
		close(w.whole)
	}
}

// state returns a channel that is closed as soon as the wire is whole.
func (w *wire) state() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.whole
}

// takes tells whether what clients send passes though the wire is not whole.
func (w *wire) takes() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.answers
}

func (w *wire) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: c, wire: w, closed: make(chan struct{})}, nil
}

type wireConn struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}
}

// passes waits until the wire is whole, or returns false when the connection was
// closed meanwhile.
func (c *wireConn) passes() bool {
	select {
	case <-c.wire.state():
		return true
	case <-c.closed:
		return false
	}
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if !c.wire.takes() && !c.passes() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *wireConn) Write(p []byte) (int, error) {
	if !c.passes() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// Close waits until the other end can learn of it.
func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	<-c.wire.state()
	return c.Conn.Close()
}
