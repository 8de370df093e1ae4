package socket

import (
	"fmt"
	"strconv"
	"strings"
)

// Protocol is the WebSocket subprotocol of clients that resume.
//
// A text frame is one JSON object. A binary frame is one JSON object, a line feed,
// and bytes. Unknown fields are ignored. A payload is "data", any JSON value,
// "text", a text, or the bytes of a binary frame. A channel is "" for the messages
// of the user, "*" for the broadcast, "#room" for the topic room. A position, at
// most 64 bytes of which nothing else is said, is how far a client is in a channel.
//
// A client sends
//
//	{"connect":{"at":{"":"p","*":"p"}},"data":…}   first: the positions of a client
//	                    that comes back, and what Authenticate is given, if anything;
//	                    with "id", a request, also where OnConnect has decided
//	{"data":…}          a message; before the connection is accepted, for
//	                    Authenticate once more
//	{"data":…,"id":7}   a request, whose one reply has the same id, a positive integer
//	{"ack":"token"}     the application has the message that carried the token; to be
//	                    said again on the next connection unless it was answered
//	{}                  a sign of life, with which heartbeats are answered
//
// A frame is no larger than "maxMessage", but for the first: its payload is, and the
// rest of it, with the positions, has 1 MiB.
//
// The server sends
//
//	{"connected":{…}}   first: "connection" and "user", ids; "at", the channels of the
//	                    client and how far it is in each; "recovered", if the client
//	                    named positions: whether it could be brought up to date in all
//	                    of them, with "lost", the channels in which it could not;
//	                    "heartbeat" and "timeout", in milliseconds; "maxMessage", in
//	                    bytes; if they are limited, "maxRate", how many frames the
//	                    client may send in a second on average, this first one and
//	                    signs of life among them, and "maxBurst", how many at once.
//	                    What the client missed follows.
//	{"at":"p","data":…} a message; with "on" of another channel than the user's,
//	                    without "at" of Ephemeral, with "ack" of Else
//	{"id":7,"data":…}   the reply to a request: a payload, none, or "error"
//	{"acked":"token"}   the answer to an acknowledgement
//	{"error":"…"}       an error that belongs to no request
//	{"missed":"#room","at":"p"}   messages of a channel are lost for the client
//	{"joined":"#room","at":"p"}, {"left":"#room"}   the channels have changed
//	{"reconnect":{"after":1500}}  the connection is about to be closed: come back
//	                    after about so many milliseconds
//	{}                  a heartbeat, every "heartbeat" unless something else is sent
//
// A side that has heard nothing for "heartbeat" and "timeout" may drop the
// connection. A client remembers a position when it has processed what came with
// it. The constants beside CloseNormal say which close codes mean come back, and
// when. A client that closes with 1000 or without a code leaves for good; one that
// gives a connection up in order to make another says another code, such as 4900.
const Protocol = "queuerun.v1"

// The names of channels in frames.
const (
	nameUser      = ""
	nameBroadcast = "*"
	nameTopic     = "#" // followed by the topic
)

// name is how a client calls the channel.
func (c channel) name() string {
	if topic, ok := c.topic(); ok {
		return nameTopic + topic
	}
	if c == broadcast {
		return nameBroadcast
	}
	return nameUser
}

// maxPosition is the longest position that a client may name, in bytes.
const maxPosition = 64

// String writes a point as the position that clients name.
func (p point) String() string { return string(p.append(nil)) }

func (p point) append(b []byte) []byte {
	b = strconv.AppendUint(b, p.seq, 36)
	if p.logged != p.seq {
		b = strconv.AppendUint(append(b, '.'), p.logged, 36)
	}
	return b
}

// parsePoint reads the position of a client.
func parsePoint(s string) (point, error) {
	if len(s) > maxPosition {
		return point{}, fmt.Errorf("position of %d bytes, %d are allowed", len(s), maxPosition)
	}
	first, second, two := strings.Cut(s, ".")
	seq, err := strconv.ParseUint(first, 36, 64)
	if err != nil {
		return point{}, fmt.Errorf("position %q: %w", s, err)
	}
	logged := seq
	if two {
		if logged, err = strconv.ParseUint(second, 36, 64); err != nil {
			return point{}, fmt.Errorf("position %q: %w", s, err)
		}
	}
	return point{seq, logged}, nil
}
