package socket

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"
)

// formatVersion starts every entry of a stream. A server that meets another
// version does not guess.
const formatVersion = "1"

// The kinds of inbox entries.
const (
	kindUser = "user" // a message to some users
	kindMark = "mark" // nothing: it makes the stream, or wakes its reader
)

// position is where a message stands in a user's log.
type position struct {
	user          string
	seq, previous uint64
}

// entry is a message on its way to the connections of one user.
type entry struct {
	position
	frame frame
}

func parseSequence(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("sequence %q: %w", s, err)
	}
	return n, nil
}

// inboxValues are the fields of an inbox entry: the payload once, and the
// positions that it has in the logs of those users that the server holds.
func inboxValues(f frame, to []position) []any {
	return []any{"v", formatVersion, "k", kindUser, "o", f.opcode, "p", f.data, "to", formatPositions(to)}
}

// formatPositions writes "<seq> <previous> <bytes of user> <user>" for each, one
// after the other. The length goes first because an id may hold any character.
func formatPositions(to []position) string {
	var b []byte
	for _, p := range to {
		b = strconv.AppendUint(b, p.seq, 10)
		b = append(b, ' ')
		b = strconv.AppendUint(b, p.previous, 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(len(p.user)), 10)
		b = append(b, ' ')
		b = append(b, p.user...)
	}
	return string(b)
}

func parsePositions(s string) ([]position, error) {
	var to []position
	for s != "" {
		var n [3]uint64
		for i := range n {
			word, rest, ok := strings.Cut(s, " ")
			if !ok {
				return nil, fmt.Errorf("positions end at %q", s)
			}
			v, err := parseSequence(word)
			if err != nil {
				return nil, err
			}
			n[i], s = v, rest
		}
		if n[2] > uint64(len(s)) {
			return nil, fmt.Errorf("user id of %d bytes, %d left", n[2], len(s))
		}
		to = append(to, position{user: s[:n[2]], seq: n[0], previous: n[1]})
		s = s[n[2]:]
	}
	return to, nil
}

// parseInbox reads an inbox entry into one entry for each user.
func parseInbox(values map[string]any) ([]entry, error) {
	f, err := parseFrame(values)
	if err != nil {
		return nil, err
	}
	if kind := text(values, "k"); kind != kindUser {
		return nil, fmt.Errorf("unknown kind %q", kind)
	}
	to, err := parsePositions(text(values, "to"))
	if err != nil {
		return nil, err
	}
	entries := make([]entry, len(to))
	for i, p := range to {
		entries[i] = entry{p, f}
	}
	return entries, nil
}

// parseLog reads an entry of a user's log.
func parseLog(user string, m redis.XMessage) (entry, error) {
	f, err := parseFrame(m.Values)
	if err != nil {
		return entry{}, err
	}
	id, _, _ := strings.Cut(m.ID, "-")
	seq, err := parseSequence(id)
	if err != nil {
		return entry{}, err
	}
	previous, err := parseSequence(text(m.Values, "q"))
	if err != nil {
		return entry{}, err
	}
	return entry{position{user, seq, previous}, f}, nil
}

func parseFrame(values map[string]any) (frame, error) {
	if v := text(values, "v"); v != formatVersion {
		return frame{}, fmt.Errorf("unknown format version %q", v)
	}
	f := frame{data: []byte(text(values, "p"))}
	switch o := text(values, "o"); o {
	case "1":
		f.opcode = websocket.TextMessage
	case "2":
		f.opcode = websocket.BinaryMessage
	case "8":
		f.opcode = websocket.CloseMessage
		if len(f.data) < 2 {
			return frame{}, fmt.Errorf("close frame of %d bytes", len(f.data))
		}
	default:
		return frame{}, fmt.Errorf("unknown opcode %q", o)
	}
	return f, nil
}

func text(values map[string]any, field string) string {
	s, _ := values[field].(string)
	return s
}
