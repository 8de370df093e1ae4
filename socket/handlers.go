package socket

import (
	"context"
	"net/http"
	"time"
)

// DefaultTimeout bounds a socket handler that has no Handlers.Timeout.
const DefaultTimeout = 10 * time.Second

// Handlers is what an application does with its connections. Every field may be
// left out; with none at all, clients may connect without a user and nothing
// reaches them.
//
// The context of a handler carries the current user (jobs.UserID), the request
// id, and what Push and Send need. It outlives the connection: a client that
// goes away does not cancel the work that it asked for.
type Handlers struct {
	// OnConnect sees the HTTP request that opens a connection, before the
	// upgrade: its cookies, headers and origin. It may return the user, or
	// Anonymous; nil leaves the decision to Authenticate. An error made by
	// Reject answers the request with that status, a panic with 500, an error that
	// is not a refusal, as Authenticate describes it, with 503, any other with 401.
	OnConnect func(ctx context.Context, r *http.Request) (*User, error)

	// Authenticate is given the messages of a connection until it has been
	// accepted. A user accepts it, and so does Anonymous; nil and no error waits
	// for the next message. An error is answered with {"error": …} and closes
	// the connection. When Authenticate is nil, a connection that OnConnect did not
	// decide about is Anonymous.
	//
	// An error is a refusal, and closes with CloseUnauthorized, after which clients do
	// not come back with the same credentials. It is not when the handler could
	// not decide: after a time-out or a panic, and when the error is or wraps one
	// of a context, of the network (a net.OpError or net.DNSError, any with a
	// Timeout that is true, io.EOF, driver.ErrBadConn) or of Redis (any but
	// redis.Nil). That closes with CloseTryLater. Where the error does not show
	// it, say it with Reject: its status 408, 425, 429 or from 500 on is no
	// refusal, any other is one. ErrBadMessage always is one.
	//
	// What Authenticate sends to the connection leaves after its verdict was
	// carried out: a client that reads a welcome is already part of presence.
	Authenticate func(ctx context.Context, m *Message) (*User, error)

	// OnMessage is given every message of an accepted connection, one at a time
	// and in order. An error, a panic or a time-out is answered with
	// {"error": …}, which is never empty and has at most 1 KiB of the error's text, and
	// the connection stays open. When it is nil, every message is answered with an
	// error.
	OnMessage func(ctx context.Context, m *Message) error

	// OnOnline is called when a user's first connection was authenticated and
	// OnOffline when the last one has gone, and Server.OfflineAfter is over if the
	// user did not say goodbye. They run as jobs in a worker, for one
	// user in the order of the transitions, and are retried until they succeed.
	OnOnline  func(ctx context.Context, userID string) error
	OnOffline func(ctx context.Context, userID string) error

	// Timeout bounds every call of the handlers above but OnOnline and
	// OnOffline, whose limit is that of a job. 0 means DefaultTimeout.
	Timeout time.Duration
}

func (h Handlers) timeout() time.Duration {
	if h.Timeout > 0 {
		return h.Timeout
	}
	return DefaultTimeout
}
