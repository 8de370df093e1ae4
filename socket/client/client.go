package client

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Defaults of a Client's limits.
const (
	DefaultMaxBuffered    = 1 << 20  // bytes
	DefaultMaxMessage     = 16 << 20 // bytes
	DefaultConnectTimeout = 15 * time.Second
	DefaultRequestTimeout = 30 * time.Second
	DefaultWriteTimeout   = 10 * time.Second
	DefaultBackoffFirst   = 500 * time.Millisecond
	DefaultBackoffMax     = 20 * time.Second
)

// Client is a connection to a socket server that comes back when it breaks. Set
// the fields before Run and leave them alone while it runs. A field that is left
// at zero has its default; a limit that is negative has it too.
//
// The handlers, which are the fields that begin with On, are called by Run, one
// at a time and in the order in which things happened. Each may be nil. Their
// context is that of Run. While one runs nothing else is read, and the server
// holds back what it has for this client, up to its limit. A handler that panics
// ends Run with the panic.
type Client struct {
	// URL is where the server listens: "wss://example.com/socket", or the same with
	// https (or ws, or http, which are not encrypted). Required.
	URL string
	// Header is sent with the HTTP request that opens a connection: cookies, an
	// Authorization.
	Header http.Header
	// Auth returns the credentials that the server's Authenticate is given: a
	// string, which is sent as text, or any other value, which is sent as JSON. It
	// is called anew for each attempt to connect. refused is not nil when the
	// server has refused what the last call returned: if it refuses the next too,
	// or that is the same, Run ends. An error fails the attempt; one that wraps
	// ErrUnauthorized ends Run. A nil Auth, or nil credentials, mean that the HTTP
	// request says who it is. For credentials that do not change see Credentials.
	Auth func(ctx context.Context, refused error) (any, error)
	// Resume holds the positions to begin from, by channel, as Positions returned
	// them to an earlier process. Without any the client begins with what is sent
	// from now on.
	Resume map[string]string

	// OnMessage handles a message. After it has returned nil the message's
	// position is remembered, and a server that asked for it is told that the
	// application has the message, again with each connection until it answers.
	// After an error neither happens: the connection is given up, and the message
	// comes again with the next one, after Backoff.
	// A message without a position cannot come again; then OnError is told.
	OnMessage func(ctx context.Context, m Message) error
	// OnLost is told of channels in which messages were lost for this client,
	// because it was away for longer than the server keeps them. Whoever keeps a
	// state by these messages should fetch it anew. An error leaves the positions
	// and gives up the connection, as that of OnMessage.
	OnLost func(ctx context.Context, channels []string) error
	// OnConnected is told that the server has accepted the connection. What was
	// missed, and what was sent since, follows.
	OnConnected func(ctx context.Context, s Session)
	// OnDisconnected is told that a connection was lost, or an attempt failed, and
	// how long the client waits before it tries again. It is not called when Run
	// returns.
	OnDisconnected func(ctx context.Context, err error, wait time.Duration)
	// OnJoined and OnLeft are told that the user was put into a topic, or taken
	// out of it, while connected. For what was so before see Session.Channels.
	OnJoined, OnLeft func(ctx context.Context, channel string)
	// OnError is told of an error that no caller is waiting for: a *ServerError
	// about a message of Send, an error of OnMessage about a message that cannot
	// come again, an ErrTooBig about a message of Send that was buffered before
	// the server's limit was known.
	OnError func(ctx context.Context, err error)

	// Backoff is how long to wait between attempts to connect.
	Backoff Backoff
	// MaxBuffered is how many bytes may wait to be sent, with 64 for each message
	// besides. One message of any size may wait.
	MaxBuffered int
	// MaxMessage is the size in bytes of the largest frame that the server may
	// send. A larger one ends Run with ErrTooBig, as it would come again.
	MaxMessage int64
	// ConnectTimeout is how long an attempt to connect may take, from the call of
	// Auth until the server has accepted the client.
	ConnectTimeout time.Duration
	// RequestTimeout is how long a Request waits for its reply when its context
	// has no deadline.
	RequestTimeout time.Duration
	// WriteTimeout is how long one frame may take to be written.
	WriteTimeout time.Duration

	// Dialer opens the WebSockets; its Subprotocols are replaced. nil means one
	// with small buffers, shared with other clients, that uses the proxies of the
	// environment. A NetDialContext is better than a NetDial: one that hangs is
	// abandoned after ConnectTimeout, and when Run ends, and goes on by itself; then it
	// is called again when it has returned.
	Dialer *websocket.Dialer
	// Logger is told of connections that come and go. nil means slog.Default().
	Logger *slog.Logger

	running atomic.Bool
	lastID  atomic.Uint64 // of requests
	dialing chan struct{} // has an element while Dialer.NetDial runs; made by Run

	mu        sync.Mutex
	state     State
	closed    bool  // Run has returned, or its context is cancelled
	link      *link // nil unless accepted
	out       outbox
	open      map[uint64]*outgoing // requests without a reply
	room      chan struct{}        // closed when there may be room in out; nil when nobody waits
	largest   int                  // frame that the server takes; 0 when it is not known
	positions map[string]string    // nil before the first Run
	owner     *string              // the user whose they are; nil when it is not known
	unacked   []string             // tokens of messages that were handled, of which the server has not said that it knows
}

// Session is an accepted connection.
type Session struct {
	// Connection is the server's name of the connection.
	Connection string
	// User is the id of the user that it belongs to; empty for an anonymous one.
	User string
	// Resumed tells that the client came with positions.
	Resumed bool
	// Recovered tells that it came with positions and nothing was lost.
	Recovered bool
	// Lost names the channels in which messages were lost, for which OnLost is
	// called next: all of the client's, if User is not the one of the connection
	// before.
	Lost []string
	// Channels names all channels of the connection, sorted.
	Channels []string
}

// State is what a Client is doing.
type State int

// States of a Client.
const (
	// Stopped: Run is not running.
	Stopped State = iota
	// Connecting: an attempt to connect is under way.
	Connecting
	// Connected: the server has accepted the connection.
	Connected
	// Waiting: the last connection or attempt failed; the next follows after a
	// wait.
	Waiting
)

// String returns the state in lower case.
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case Connecting:
		return "connecting"
	case Connected:
		return "connected"
	case Waiting:
		return "waiting"
	}
	return "unknown"
}

// State returns what the client is doing now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *Client) become(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
}

// Credentials returns an Auth whose credentials are always the same: a string,
// or a value to be sent as JSON.
func Credentials(v any) func(ctx context.Context, refused error) (any, error) {
	return func(context.Context, error) (any, error) { return v, nil }
}

func (c *Client) log() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

// positive returns the value, or the default for one that is not set.
func positive[T int | int64 | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}
