package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/web/client"
)

// patience is how long the script waits for a client to do something.
const patience = 10 * time.Second

// script is a server of queuerun.v1 that does what a test tells it, frame by frame,
// and fails the test when a client breaks the rules of the protocol. A test in Go
// calls its methods; one in JavaScript, in whatever runs it, posts commands to
// /control. Below /socket/ each path is an endpoint of its own, so that tests do not
// meet.
type script struct {
	*httptest.Server
	t       *testing.T
	stopped chan struct{}
	readers sync.WaitGroup

	mu          sync.Mutex
	endpoints   map[string]*endpoint
	connections []*connection
}

type endpoint struct {
	arrived  chan *connection
	attempts int
	refuse   int // HTTP status of the next attempts, 0: let them in
}

// newScript starts a script that also serves the module at /queuerun.js, this
// directory at /client/ and the given pages at their paths.
func newScript(t *testing.T, pages map[string]string) *script {
	t.Helper()
	s := &script{t: t, stopped: make(chan struct{}), endpoints: map[string]*endpoint{}}
	mux := http.NewServeMux()
	mux.Handle("GET /queuerun.js", client.Handler())
	mux.Handle("GET /client/", http.StripPrefix("/client/", http.FileServer(http.Dir("."))))
	for path, page := range pages {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, page) })
	}
	mux.HandleFunc("POST /control", s.control)
	mux.HandleFunc("/socket", s.connect)
	mux.HandleFunc("/socket/", s.connect)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.stop)
	return s
}

func (s *script) stop() {
	s.mu.Lock()
	close(s.stopped)
	for _, c := range s.connections {
		c.ws.Close()
	}
	s.mu.Unlock()
	s.readers.Wait()
	s.CloseClientConnections()
	s.Close()
	http.DefaultClient.CloseIdleConnections()
}

func (s *script) endpoint(path string) *endpoint {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.endpoints[path]
	if e == nil {
		e = &endpoint{arrived: make(chan *connection, 100)}
		s.endpoints[path] = e
	}
	return e
}

func (s *script) connect(w http.ResponseWriter, r *http.Request) {
	e := s.endpoint(r.URL.Path)
	s.mu.Lock()
	e.attempts++
	refuse := e.refuse
	s.mu.Unlock()
	if refuse != 0 {
		http.Error(w, "refused", refuse)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{"queuerun.v1"}}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // it has answered
	}
	if ws.Subprotocol() != "queuerun.v1" {
		s.t.Errorf("a client came without the subprotocol: %q", r.Header)
	}
	c := &connection{ws: ws, received: make(chan frame, 1000), rules: rules{open: map[int]bool{}}}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stopped:
		ws.Close()
		return
	default:
	}
	s.connections = append(s.connections, c)
	c.number = len(s.connections)
	s.readers.Go(func() { c.read(s.t) })
	e.arrived <- c
}

// accept returns the next connection to an endpoint.
func (s *script) accept(path string) (*connection, error) {
	select {
	case c := <-s.endpoint(path).arrived:
		return c, nil
	case <-s.stopped:
		return nil, fmt.Errorf("the script has ended")
	case <-time.After(patience):
		return nil, fmt.Errorf("nobody came to %s within %v", path, patience)
	}
}

// expect fails the test unless the client's next frame is this text.
func (s *script) expect(c *connection, text string) {
	s.t.Helper()
	got, err := c.receive()
	if err != nil {
		s.t.Fatal(err)
	}
	if got.Text != text {
		s.t.Fatalf("the client sent %+v, want %q", got, text)
	}
}

// tell sends texts to the client.
func (s *script) tell(c *connection, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		if err := c.send(frame{Text: text}); err != nil {
			s.t.Fatal(err)
		}
	}
}
