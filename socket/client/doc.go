// Package client connects a Go program to a socket server, as a browser does
// with the JavaScript client, and keeps it connected.
//
// A Client speaks the protocol queuerun.v1. Run connects, authenticates, hands
// what the server sends to the Client's handlers, comes back when the connection
// breaks, and goes on where it was: what was sent to the user in the meantime
// arrives first, in order, once. Where the server has no longer kept it, OnLost
// says of which channels something is missing.
//
// # Channels and positions
//
// Messages travel in channels, each with its own order: "" holds those to the
// user, "*" those to everybody, "#room" those of the topic "room". A position is
// where in a channel a client is; the server makes it and only the server reads
// it. The client remembers a position after the handler has returned nil, and
// names all of them when it comes back. A handler's error leaves the position
// where it was: the connection is given up, and after a wait the message comes
// again. So a message is handled at least once by a program that crashes between
// its work and the next look at Positions, and exactly once by one that stores
// Message.Position together with its work, in one transaction, and begins from
// there with Client.Resume.
//
// # What a client sends
//
// Send and Request put a message into a buffer, in order. It is written as soon
// as there is a connection, and written once: a message whose writing failed
// stays first in the buffer, for a server takes no half messages, and one that
// was written is never repeated. Whether the server has handled it, only the
// reply of a Request tells. Where the server limits how fast its clients send,
// the buffer is written a little more slowly than that.
//
// # Heartbeats
//
// The server says something at least every so often, and tells the client how
// often. A link on which nothing arrives for that time and a bit more is dead,
// and dropped. The client in its turn says something in each such time, also
// while a handler takes longer.
//
// # Coming back
//
// Waits double from one attempt to the next, and a random part of each is taken
// (full jitter), so that the clients of a server that died do not return in
// step. A server that restarts says when to come back. What the code of a closed
// connection means for coming back is listed at CloseError.
//
// # Cost
//
// An idle Client has one goroutine, which is Run's, and no timer: 4 KB of heap, of
// which 1 KB is its read buffer, and a stack of 8 KB. Clients without a Dialer of
// their own share the buffers to write with.
package client
