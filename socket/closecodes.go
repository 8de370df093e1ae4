package socket

import "github.com/gorilla/websocket"

// The codes with which a server closes a connection. A client learns from the
// code whether to come back:
//
//	1000                     never: the application wants it so
//	1002, 1003, 1007, 1009   never: the same would happen again
//	4000 to 4099             at once, spread over the first step of the backoff
//	                         and growing with it when that repeats
//	4100 to 4199             after at least 5 seconds
//	4400 to 4499             never: the same attempt would fail again; after
//	                         CloseUnauthorized once more, with other credentials
//	the rest                 with backoff; 1006 stands for the end of a connection
//	                         without a code
//
// A request that is refused with an HTTP status is 1006 to a browser.
const (
	// CloseNormal: the application called Close.
	CloseNormal = websocket.CloseNormalClosure // 1000
	// CloseInvalid: a text frame was not UTF-8.
	CloseInvalid = websocket.CloseInvalidFramePayloadData // 1007
	// CloseTooBig: a message exceeded Server.MaxMessage.
	CloseTooBig = websocket.CloseMessageTooBig // 1009
	// CloseRestart: the server is stopping. Come back, to another one.
	CloseRestart = websocket.CloseServiceRestart // 1012
	// CloseTryLater: Redis could not be reached, Authenticate could not decide, or
	// connections that are not authenticated hold Server.MaxUnauthenticated bytes.
	// Come back in a while.
	CloseTryLater = websocket.CloseTryAgainLater // 1013
	// CloseMissed: some messages could not be delivered and are gone from the
	// retention. Come back, and ask the application for the current state.
	CloseMissed = 4000
	// CloseSlow: the client read too slowly and Server.MaxQueued bytes were
	// waiting for it; these were dropped. Come back, as after CloseMissed.
	CloseSlow = 4001
	// CloseTooFast: the client sends more messages than Server.MaxRate, and goes on
	// though the server reads no faster.
	CloseTooFast = 4100
	// CloseTooMany: the user has Server.MaxPerUser connections already.
	CloseTooMany = 4101
	// CloseAuthTimeout: the client did not authenticate within Server.AuthTimeout, of
	// which its network may be the cause.
	CloseAuthTimeout = 4102
	// CloseProtocol: what the client sent is not the protocol that it asked for.
	CloseProtocol = 4400
	// CloseUnauthorized: Authenticate refused; Handlers.Authenticate says which errors
	// mean that. Come back with other credentials.
	CloseUnauthorized = 4401
)
