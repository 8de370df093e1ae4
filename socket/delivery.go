package socket

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// An entry of an inbox is, after the version, any number of
//
//	r<bytes> <record>
//	t<sequence><previous><logged><channel>}
//	c<sequence>
//	s<previous><channel>}
//	m<bytes> <user><bytes> <topic>
//
// without the line feeds, with 16 digits for a sequence, and with a channel's name
// as it is in keys: a message, for the channels that follow; one of these channels,
// with the position of the message in it, all 0 when no log has it; a sequence that
// many channels have in common; one of these channels, where the previous message
// is in the log; and a user who has joined or left a topic. The script append.lua writes
// them too.
const (
	entryRecord     = 'r'
	entryTarget     = 't'
	entryCommon     = 'c'
	entrySame       = 's'
	entryMembership = 'm'

	entryEnd = '}' // of a channel's name
)

// sequenceDigits is enough for a time in microseconds until the year 2286.
const sequenceDigits = 16

// delivery is a message on its way to the connections of one channel.
type delivery struct {
	channel channel
	at      position
	record  record
}

// appendDelivery adds a record, as it is stored, and some of its targets to an inbox
// entry.
func appendDelivery(b []byte, stored string, to []*target) []byte {
	b = append(b, stored...)
	for _, t := range to {
		b = appendSequence(append(b, entryTarget), t.at.seq)
		b = appendSequence(b, t.at.previous)
		b = appendSequence(b, t.at.logged)
		b = append(append(b, t.channel.inKey()...), entryEnd)
	}
	return b
}

func appendSequence(b []byte, n uint64) []byte {
	return fmt.Appendf(b, "%0*d", sequenceDigits, n)
}

// appendMembership adds to an inbox entry that a user has joined or left a topic.
func appendMembership(b []byte, user, topic string) []byte {
	return appendText(appendText(append(b, entryMembership), user), topic)
}

func appendNumber(b []byte, n uint64) []byte { return append(strconv.AppendUint(b, n, 10), ' ') }

func appendText(b []byte, text string) []byte {
	return append(appendNumber(b, uint64(len(text))), text...)
}

// parseEntry reads an inbox entry. It calls deliver with each message, once for each
// of its channels, and changed with each user who has joined or left a topic.
func parseEntry(entry string, deliver func(channel, position, record), changed func(user, topic string)) error {
	if entry == "" || entry[0] != formatVersion[0] {
		return fmt.Errorf("inbox entry of %d bytes: %w", len(entry), errVersion)
	}
	r := entryReader{rest: entry[1:]}
	var message record
	var common uint64
	for r.err == nil && len(r.rest) > 0 {
		kind := r.rest[0]
		r.rest = r.rest[1:]
		switch kind {
		case entryRecord:
			message = r.record()
		case entryCommon:
			common = r.sequence()
		case entryTarget, entrySame:
			at := position{seq: common}
			if kind == entrySame {
				at.previous = r.sequence()
				at.logged = at.previous
			} else {
				at = r.position()
			}
			ch := r.channel()
			if message.opcode == 0 {
				r.fail(errors.New("a target without a record"))
			}
			if r.err == nil {
				deliver(ch, at, message)
			}
		case entryMembership:
			if user, topic := r.text(), r.text(); r.err == nil {
				changed(user, topic)
			}
		default:
			r.err = fmt.Errorf("unknown kind %q", kind)
		}
	}
	if r.err != nil {
		return fmt.Errorf("inbox entry: %w", r.err)
	}
	return nil
}

// entryReader reads what is left of an entry. After an error it reads nothing.
type entryReader struct {
	rest string
	err  error
}

func (r *entryReader) record() (message record) {
	encoded := r.text()
	if r.err == nil {
		message, r.err = parseRecord([]byte(encoded))
	}
	return message
}

var errEntryEnds = errors.New("it ends too early")

func (r *entryReader) number() uint64 {
	i := strings.IndexByte(r.rest, ' ')
	if r.err != nil || i < 0 {
		r.fail(errEntryEnds)
		return 0
	}
	n, err := parseSequence(r.rest[:i])
	if err != nil {
		r.fail(err)
		return 0
	}
	r.rest = r.rest[i+1:]
	return n
}

func (r *entryReader) sequence() uint64 {
	if r.err != nil || len(r.rest) < sequenceDigits {
		r.fail(errEntryEnds)
		return 0
	}
	n, err := parseSequence(r.rest[:sequenceDigits])
	if err != nil {
		r.fail(err)
		return 0
	}
	r.rest = r.rest[sequenceDigits:]
	return n
}

func (r *entryReader) position() position {
	return position{r.sequence(), r.sequence(), r.sequence()}
}

func (r *entryReader) channel() channel {
	i := strings.IndexByte(r.rest, entryEnd)
	if r.err != nil || i < 0 {
		r.fail(errEntryEnds)
		return ""
	}
	name := r.rest[:i]
	r.rest = r.rest[i+1:]
	return channelInKey(name)
}

func (r *entryReader) text() string {
	n := r.number()
	if r.err != nil || n > uint64(len(r.rest)) {
		r.fail(errEntryEnds)
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

func (r *entryReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func parseSequence(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("sequence %q: %w", s, err)
	}
	return n, nil
}
