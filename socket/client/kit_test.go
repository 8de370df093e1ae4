package client

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inBubble runs a test on a clock of its own, with a server to play.
func inBubble(t *testing.T, body func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { body(t, newStage(t)) })
}

// stage is a WebSocket server on a network of pipes. What it says on a connection
// is up to the test.
type stage struct {
	t       *testing.T
	opened  chan *peer
	dials   chan net.Conn
	closed  chan struct{}
	upgrade websocket.Upgrader
	// refuse may answer an HTTP request itself.
	refuse func(w http.ResponseWriter, r *http.Request) bool
	deaf   bool // its WebSockets are not read
	silent bool // its connections are not even answered
}

func newStage(t *testing.T) *stage {
	s := &stage{
		t: t, opened: make(chan *peer), dials: make(chan net.Conn), closed: make(chan struct{}),
		upgrade: websocket.Upgrader{Subprotocols: []string{protocol}},
	}
	server := &http.Server{Handler: s}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(s) }) // returns that it is closed
	t.Cleanup(func() {
		_ = server.Close()
		serving.Wait()
	})
	return s
}

// Accept, Close and Addr make it a net.Listener.
func (s *stage) Accept() (net.Conn, error) {
	select {
	case conn := <-s.dials:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *stage) Close() error   { close(s.closed); return nil }
func (s *stage) Addr() net.Addr { return &net.UnixAddr{} }

// dial is for clients.
func (s *stage) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	if s.silent {
		s.t.Cleanup(func() { _ = theirs.Close() })
		return ours, nil
	}
	select {
	case s.dials <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *stage) dialer() *websocket.Dialer { return &websocket.Dialer{NetDialContext: s.dial} }

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.refuse != nil && s.refuse(w, r) {
		return
	}
	ws, err := s.upgrade.Upgrade(w, r, nil)
	if err != nil {
		return // the client was told
	}
	p := &peer{t: s.t, ws: ws, request: r, heard: make(chan string, 10_000)}
	if s.deaf {
		s.t.Cleanup(p.hangUp)
	} else {
		reading := make(chan struct{})
		go func() { defer close(reading); p.listen() }()
		s.t.Cleanup(func() { p.hangUp(); <-reading })
	}
	select {
	case s.opened <- p:
	case <-s.closed: // the test is over
	}
}

// next returns the next connection.
func (s *stage) next() *peer {
	s.t.Helper()
	select {
	case p := <-s.opened:
		return p
	case <-time.After(time.Hour):
		s.t.Fatal("nobody connected for an hour")
		return nil
	}
}

// welcome takes the next connection, checks its first frame and accepts it.
func (s *stage) welcome(first, connected string) *peer {
	s.t.Helper()
	p := s.next()
	p.expect(first)
	p.say(`{"connected":` + connected + `}`)
	return p
}

// welcomeDeaf is welcome on a deaf stage. It returns when the client is connected.
func (s *stage) welcomeDeaf(first, connected string) *peer {
	s.t.Helper()
	p := s.next()
	p.read(first)
	p.say(`{"connected":` + connected + `}`)
	synctest.Wait()
	return p
}

// fresh is how a client without credentials and positions begins.
const fresh = `{"connect":{}}`

// peer is the server's end of a connection.
type peer struct {
	t       *testing.T
	ws      *websocket.Conn
	request *http.Request
	heard   chan string // frames, and at last how it ended
}

// listen hears frames until the connection ends. A binary one begins with "b:".
func (p *peer) listen() {
	defer close(p.heard)
	for {
		opcode, data, err := p.ws.ReadMessage()
		if err != nil {
			p.heard <- closing(err)
			return
		}
		if opcode == websocket.BinaryMessage {
			data = append([]byte("b:"), data...)
		}
		p.heard <- string(data)
	}
}

// closing names how a connection ended, for the peer.
func closing(err error) string {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return strings.TrimPrefix(closed.Error(), "websocket: ")
	}
	return "broken"
}

func (p *peer) say(text string) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		p.t.Fatalf("say %s: %v", text, err)
	}
}

func (p *peer) sayBinary(data string) {
	p.t.Helper()
	if err := p.ws.WriteMessage(websocket.BinaryMessage, []byte(data)); err != nil {
		p.t.Fatalf("say %q: %v", data, err)
	}
}

// close closes the connection with a code.
func (p *peer) close(code int, reason string) {
	p.t.Helper()
	frame := websocket.FormatCloseMessage(code, reason)
	if err := p.ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(time.Second)); err != nil {
		p.t.Fatal(err)
	}
	p.hangUp()
}

func (p *peer) hangUp() { _ = p.ws.Close() }

// expect takes what the client said next and compares it.
func (p *peer) expect(want string) {
	p.t.Helper()
	select {
	case got := <-p.heard:
		if got != want {
			p.t.Fatalf("the client said %q, want %q", got, want)
		}
	case <-time.After(time.Hour):
		p.t.Fatalf("the client said nothing for an hour, want %q", want)
	}
}

// silent checks that the client has said nothing more.
func (p *peer) silent() {
	p.t.Helper()
	synctest.Wait()
	select {
	case got, ok := <-p.heard:
		if ok {
			p.t.Fatalf("the client said %q, want silence", got)
		}
	default:
	}
}

// read reads a frame on a deaf stage.
func (p *peer) read(want string) {
	p.t.Helper()
	_, data, err := p.ws.ReadMessage()
	if err != nil || string(data) != want {
		p.t.Fatalf("the client said %q (%v), want %q", data, err, want)
	}
}

// running is a client that runs.
type running struct {
	*Client
	t      *testing.T
	cancel context.CancelFunc
	result chan error
}

// run runs a client of the stage's until the test ends.
func (s *stage) run(c *Client) *running {
	s.t.Helper()
	c.URL = "ws://stage/socket"
	c.Dialer = s.dialer()
	return start(s.t, c)
}

func start(t *testing.T, c *Client) *running {
	if c.Logger == nil { // shown when the test fails
		c.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{c, t, cancel, make(chan error, 1)}
	go func() { r.result <- c.Run(ctx) }()
	t.Cleanup(cancel) // a bubble waits for the rest
	return r
}

// stop cancels Run and expects it to return nil.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.ended(); err != nil {
		r.t.Fatalf("Run: %v", err)
	}
}

// ended waits until Run has returned.
func (r *running) ended() error {
	r.t.Helper()
	select {
	case err := <-r.result:
		if s := r.State(); s != Stopped {
			r.t.Fatalf("state %v after Run", s)
		}
		return err
	case <-time.After(24 * time.Hour):
		r.t.Fatal("Run did not return")
		return nil
	}
}

// eventually receives from a channel.
func eventually[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Hour):
		t.Fatalf("timed out waiting for %s", what)
		panic("unreachable")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
