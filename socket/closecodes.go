package socket

import "github.com/gorilla/websocket"

// The codes with which a server closes a connection. A client learns from the
// code whether to come back: 1001 and 1011 to 1013 mean come back, after a
// while; 4000 to 4099 mean come back at once; the rest, 4400 to 4499 among
// them, mean that the same attempt would fail again. A connection that ends
// without a code (1006) may come back too.
const (
	// CloseNormal: the application called Close.
	CloseNormal = websocket.CloseNormalClosure // 1000
	// CloseInvalid: a text frame was not UTF-8.
	CloseInvalid = websocket.CloseInvalidFramePayloadData // 1007
	// CloseTooBig: a message exceeded Server.MaxMessage.
	CloseTooBig = websocket.CloseMessageTooBig // 1009
	// CloseRestart: the server is stopping. Come back, to another one.
	CloseRestart = websocket.CloseServiceRestart // 1012
	// CloseTryLater: Redis could not be reached. Come back in a while.
	CloseTryLater = websocket.CloseTryAgainLater // 1013
	// CloseMissed: some messages could not be delivered and are gone from the
	// retention. Come back, and ask the application for the current state.
	CloseMissed = 4000
	// CloseSlow: the client read too slowly and Server.MaxQueued bytes were
	// waiting for it; these were dropped. Come back, as after CloseMissed.
	CloseSlow = 4001
	// CloseUnauthorized: Authenticate refused. Come back with other credentials.
	CloseUnauthorized = 4401
	// CloseAuthTimeout: the client did not authenticate within
	// Server.AuthTimeout.
	CloseAuthTimeout = 4408
)
