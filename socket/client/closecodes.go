package client

import (
	"fmt"
	"time"

	"github.com/gorilla/websocket"
)

// Close codes of the protocol that are not in the WebSocket standard and that
// have a meaning of their own for a client.
const (
	codeAgainMin        = 4000 // to 4099: come back at once
	codeLimitMin        = 4100 // to 4199: a limit was reached; come back, not at once
	codeLimitMax        = 4199
	codeNeverMin        = 4400 // to 4499: never
	codeNeverMax        = 4499
	codeUnauthenticated = 4401

	// codeGivenUp is the client's own, since after 1000 the server would take the user
	// for gone at once.
	codeGivenUp = 4900
)

// limitWait is the least time away from a server that has refused too much of
// something.
const limitWait = 5 * time.Second

// CloseError tells that the server closed the connection. The code says whether
// the Client comes back:
//
//	1000                    never; the application closed the connection
//	1002, 1003, 1007, 1009  never; the same would happen again
//	4000–4099               at once, within the first step of Backoff
//	4100–4199               after at least 5 s, and Backoff
//	4400–4499               never; after 4401, once more if Auth has other credentials
//	any other               after Backoff; after 1012, when the server said
//
// Where a code comes again before a connection has lasted for 5 s, the waits grow
// with Backoff, whichever it is.
//
// Run returns it when the answer is never. 4401 matches ErrUnauthorized.
type CloseError struct {
	// Code is 1006 when the connection ended without a code.
	Code int
	// Reason is the server's, often empty.
	Reason string
}

// Error returns the code and the reason.
func (e *CloseError) Error() string {
	text := fmt.Sprintf("socket client: connection closed with code %d", e.Code)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// Is tells that a code means ErrUnauthorized.
func (e *CloseError) Is(target error) bool {
	return target == ErrUnauthorized && e.Code == codeUnauthenticated
}

// never tells whether a connection with this end is not to be tried again.
func (e *CloseError) never() bool {
	switch e.Code {
	case websocket.CloseNormalClosure, websocket.CloseProtocolError, websocket.CloseUnsupportedData,
		websocket.CloseInvalidFramePayloadData, websocket.CloseMessageTooBig:
		return true
	}
	return e.Code >= codeNeverMin && e.Code <= codeNeverMax
}

// atOnce tells whether to come back without the patience of earlier attempts.
func (e *CloseError) atOnce() bool { return e.Code >= codeAgainMin && e.Code < codeLimitMin }

// least is the shortest time until the next attempt.
func (e *CloseError) least() time.Duration {
	if e.Code >= codeLimitMin && e.Code <= codeLimitMax {
		return limitWait
	}
	return 0
}
