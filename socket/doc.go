// Package socket sends messages to users, on every device and from everywhere:
// an HTTP request, a message's handler, a queued job, a schedule.
//
// A Server holds the WebSocket connections of one process. Handlers say who a
// connection belongs to and what its messages do. Send reaches the current user
// of a context and To any others, whichever servers they are connected to. A
// user's first connection and the end of the last one call OnOnline and
// OnOffline, as jobs.
//
// # How a message travels
//
// A channel is what has an order of its own: the messages of one user, of one
// topic, or to everybody. Send is one atomic step on the keys of the channel: it
// gives the message the next sequence number, appends it to the channel's log, a
// short list that expires, and reads the directory: which servers hold
// connections of the channel. Each of these has an inbox, a stream, to which
// one entry is added, with the sequence and that of the message before. On a Redis
// Cluster that is a second trip. A server reads its own inbox, and no other, and
// writes to the connections. Sends that overlap in a process share their trips.
//
// The predecessor is what makes this safe. A server delivers a message only to
// connections that have the one before. Where it is another one, because two
// senders overlapped, or one died between its trips, or Redis went back to an
// older state, the server reads the log and delivers what is missing in order;
// where the log no longer has it, the connections are told that they missed some.
// Repeats, of which a lost reply makes some, are recognised by their sequence and
// dropped.
//
// Retain says what the log keeps. Messages of Latest are in the channel's order
// but not in the log: only the newest of each key is kept. Ephemeral messages are
// kept nowhere.
//
// # Clients
//
// A client that asks for no subprotocol gets each message as one frame, as the
// application sent it, and is closed with CloseMissed when it missed some. A client
// of Protocol, queuerun.v1, resumes: it names how far it was, and gets what it
// missed, exactly once and in order, or is told that messages are lost. The
// libraries are web/client/queuerun.js, for browsers and Node, and package
// socket/client. The constant Protocol describes the frames.
//
// # What is promised
//
// Two sends to a user of which one returned before the other began reach each of
// the user's connections in that order, whichever processes sent them. A message
// for which Send returned nil reaches every connection that the user has on a
// living server, once, or that connection is told that it missed some: a plain one
// by a close code. The acceptance lasts as long as Redis keeps it: what a Redis
// forgets that is restarted from an older state is told as missed, as soon as
// the user is sent something else. A message for a user who has no connection is
// in the log until it expires and reaches nobody.
//
// # What is not promised
//
// A command that a network holds back and delivers after its sender has given up
// and repeated it, which a lost connection alone does not do, can double a message
// or leave a wrong entry in a directory until the server stops.
//
// A Redis that loses the last moment before a crash, as it may with appendfsync
// everysec, or goes back further, forgets connections that were opened and messages
// that were sent in that time. Servers compare what it has with what they told it,
// at every beat of their lease, which is three tenths of it: then they register all
// their users anew, and close with CloseMissed the connections that have messages
// which it has forgotten. Until then some users may count as offline and not be
// reached. Only when it forgot exactly as many comings as goings of the last few
// seconds, and nothing else that shows, are these users not reached until they
// reconnect.
//
// A handler's error is told to the client in its own words, of which it gets 1 KiB. Do
// not return what a client must not read.
//
// # Presence
//
// A server has one lease for all its users, which it renews every few seconds.
// It writes a user into a set of its own before it enters the user's directory,
// and removes it after the transitions were pushed as jobs; a Reaper, of which
// every server and every worker runs one, walks that set when the lease is over.
// So a transition that was recorded is never lost. Transitions of one
// user are numbered and run in order, and the number of the last one that
// succeeded is kept, so that a job that was pushed twice calls its handler once.
// The handler is called again only when its worker dies after the handler's
// success and before that is recorded.
//
// A user whose last connection broke, or whose server is stopped or killed, has
// Server.OfflineAfter to come back, to any server: there is no transition then. The
// server goes on to hold who was connected to it; one that stops leaves these users
// to the reapers, and one that is killed is reaped when its lease and that time are
// over. So after a kill nobody stays online for longer than the lease, that time,
// and about a second. What is sent to a user meanwhile is in the log. A client that
// says goodbye, and one that the application closes, is offline at once.
//
// A server that is suspended for longer than its lease and that time registers its
// users anew when it continues; they were offline in between.
//
// # Redis' clock
//
// Leases end by the clock of Redis. When that is set, ahead or back, nobody goes
// offline: a Reaper compares it with its own clock, and takes a server for dead only
// when Redis' clock went on evenly, or the Reaper waited, for as long as a lease and
// OfflineAfter. So the users of a server that is killed around that time, or shortly
// before the only Reaper starts, are online for up to twice as long. Until the server
// has renewed its lease, which it does at once, users who connect wait up to a second.
// What logs keep expires by Redis' clock, earlier or later by as much as it was set.
//
// # A Redis that is full
//
// A Redis that has reached its maxmemory, with noeviction, refuses what adds to it:
// sends and joins return an error that matches ErrFull, and users who connect are
// answered with 503 or closed with CloseTryLater. Leases are renewed, what was sent
// before is delivered, users leave topics and go offline; OnOffline runs when Redis
// takes its job, which is tried every second.
//
// # What it costs
//
// No single step in Redis takes longer the more messages, keys of Latest, members, or
// topics of a user there are, but for the reading of what a client missed, which reads
// all keys of Latest of a channel with each 500 messages. A step takes longer with the
// servers that hold a channel. A user in n topics takes 2n steps to connect to a server
// that has none of these, and n/200 trips to go offline. Each Reaper looks at up to 400
// leases a second. The benchmark Growth measures them.
//
// # Stopping
//
// A server that is to stop is first no longer Ready, for Server.ShutdownDelay. Then
// it refuses new connections and closes its own with CloseRestart, many of them
// spread over Server.CloseSpread. Clients have a second to take what was sent to
// them and to answer. Handlers that are running finish, within Server.Drain.
//
// # Limits
//
//	Server.MaxConnections   a request is refused with 503
//	Server.MaxPerUser       a request is refused with 429, a connection that
//	                        Authenticate accepted is closed with CloseTooMany
//	Server.MaxUnauthenticated
//	                        a request is refused with 503, a connection that is not
//	                        authenticated and sends more is closed with CloseTryLater
//	Server.MaxMessage       the connection is closed with CloseTooBig; so it is when
//	                        the positions of a client of Protocol exceed 1 MiB
//	Server.MaxRate          messages wait to be read; when that does not help, the
//	                        connection is closed with CloseTooFast
//	Server.MaxQueued        the connection is closed with CloseSlow
//	Server.AuthTimeout      the connection is closed with CloseAuthTimeout
//	MaxSent, MaxUserID      the call returns ErrTooLarge or ErrUserID
//	Retain, Latest          the send returns ErrOption, see there
//
// # Closing
//
// The codes with which a server closes a connection tell a client whether to come
// back, and when; see CloseRestart and the constants beside it.
package socket
