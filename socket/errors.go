package socket

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

// Errors that calls of this package wrap; match them with errors.Is.
var (
	// ErrNoSender: the context carries no Sender. Contexts of handlers do;
	// elsewhere make one with Sender.Context.
	ErrNoSender = errors.New("socket: no Sender in the context; use the context of a handler, or Sender.Context")
	// ErrNobody: the context has neither a current user nor a current connection.
	ErrNobody = errors.New("socket: nobody to send to: the context has no user and no connection")
	// ErrRecipients: To was given no user, or more than MaxRecipients.
	ErrRecipients = errors.New("socket: wrong number of recipients")
	// ErrTooLarge: a message that was to be sent has more than MaxSent bytes.
	ErrTooLarge = errors.New("socket: message is too large")
	// ErrUserID: a user's id has more than MaxUserID bytes.
	ErrUserID = errors.New("socket: user id is too long")
	// ErrUncertain: the connection to Redis broke in such a way that the message
	// may or may not have been accepted.
	ErrUncertain = errors.New("socket: message may or may not have been accepted")
	// ErrFull: Redis has reached its maxmemory. What adds to it is refused: sends,
	// joins, users who connect. Nothing was sent. What goes on is the reading of
	// messages that it has, leases, leaving and going offline.
	ErrFull = redisstep.ErrFull
	// ErrClosed: the current connection is closed.
	ErrClosed = errors.New("socket: connection is closed")
	// ErrBadMessage: a client's message is not what its handler takes.
	ErrBadMessage = errors.New("bad message")
	// ErrTimeout: a handler did not return within Handlers.Timeout.
	ErrTimeout = errors.New("timed out")
	// ErrNoHandler: a client sent a message and Handlers.OnMessage is nil.
	ErrNoHandler = errors.New("messages are not accepted here")
)

// Rejection is the error that Reject makes. Find it with errors.As.
type Rejection struct {
	// Status is the HTTP status of the answer to a request that opens a connection.
	Status int
	// Reason is the answer's {"error": …}; when it is empty, the status' own text is.
	Reason string
}

// Error returns the reason and the status.
func (r *Rejection) Error() string { return fmt.Sprintf("%s (HTTP %d)", r.Reason, r.Status) }

// Reject makes the error with which OnConnect refuses a connection. The request
// is answered with the status, from 400 to 599 (any other counts as 403), and
// {"error": reason}; an empty reason is the status' own text. From Authenticate the
// status says whether it is a refusal, and from OnMessage only the reason counts.
func Reject(status int, reason string) error {
	if status < 400 || status > 599 {
		status = http.StatusForbidden
	}
	if reason == "" {
		reason = http.StatusText(status)
	}
	return &Rejection{Status: status, Reason: reason}
}
