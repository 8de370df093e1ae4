package socket

import (
	"fmt"
	"strconv"
	"strings"
)

// Protocol is the WebSocket subprotocol of clients that resume. doc.go describes
// it.
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
func (p point) String() string {
	s := strconv.FormatUint(p.seq, 36)
	if p.logged != p.seq {
		s += "." + strconv.FormatUint(p.logged, 36)
	}
	return s
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
