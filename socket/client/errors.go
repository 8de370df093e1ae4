package client

import (
	"errors"
	"fmt"
	"net/http"
)

// Errors that this package wraps; match them with errors.Is.
var (
	// ErrUnauthorized: the server refused the credentials, or Auth says so.
	ErrUnauthorized = errors.New("socket client: not authorized")
	// ErrNoProtocol: the server does not speak queuerun.v1.
	ErrNoProtocol = errors.New("socket client: the server does not speak " + protocol)
	// ErrClosed: Run has returned or is about to, so nothing will be sent.
	ErrClosed = errors.New("socket client: client is closed")
	// ErrBufferFull: Client.MaxBuffered bytes wait to be sent already.
	ErrBufferFull = errors.New("socket client: too much waits to be sent")
	// ErrTooBig: a message is larger than its receiver takes: the server, or this
	// client with its MaxMessage.
	ErrTooBig = errors.New("socket client: message is too big")
	// ErrUncertain: a request was sent and no reply has come. The server may or
	// may not have handled it. A request that failed without this error was not
	// sent.
	ErrUncertain = errors.New("socket client: request may or may not have been handled")
	// ErrInHandler: Request was called with the context of a handler of the same
	// client, which would have to return before the reply can be read.
	ErrInHandler = errors.New("socket client: a handler cannot wait for a reply on its own client")
	// ErrBadMessage: a value cannot be sent, or a message cannot be decoded.
	ErrBadMessage = errors.New("socket client: bad message")
)

// ServerError is an error in the server's words: the reply to a Request, or what
// Client.OnError is told.
type ServerError struct{ Reason string }

// Error returns the reason.
func (e *ServerError) Error() string { return "socket client: the server answered: " + e.Reason }

// HTTPError is the server's refusal to open a WebSocket. 401 and 403 match
// ErrUnauthorized.
type HTTPError struct {
	// Status is that of the response.
	Status int
	// Reason is the {"error": …} of its body, or empty.
	Reason string
}

// Error returns the status and the reason.
func (e *HTTPError) Error() string {
	text := fmt.Sprintf("socket client: connection refused with HTTP status %d %s", e.Status, http.StatusText(e.Status))
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Is tells that a status means ErrUnauthorized.
func (e *HTTPError) Is(target error) bool {
	return target == ErrUnauthorized && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
}
