package socket

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// The numbers of fields in an entry of an inbox: deliveries, one after the other,
// each of a record and the channels that it is for, with its position in each.
const (
	entryDelivery   protowire.Number = 1
	entryMembership protowire.Number = 2 // a user whose topics have changed

	deliveryRecord protowire.Number = 1
	deliveryTarget protowire.Number = 2

	targetChannel  protowire.Number = 1
	targetSequence protowire.Number = 2 // left out when no log has it
	targetPrevious protowire.Number = 3
	targetLogged   protowire.Number = 4 // left out when it is the previous one
)

// delivery is a message on its way to the connections of one channel.
type delivery struct {
	channel channel
	at      position
	record  record
}

// appendDelivery adds a record and some of its targets to an inbox entry.
func appendDelivery(b, record []byte, to []*target) []byte {
	var body []byte
	body = protowire.AppendTag(body, deliveryRecord, protowire.BytesType)
	body = protowire.AppendBytes(body, record)
	var one []byte
	for _, t := range to {
		one = protowire.AppendTag(one[:0], targetChannel, protowire.BytesType)
		one = protowire.AppendString(one, string(t.channel))
		if t.at.seq != 0 {
			one = appendNumber(one, targetSequence, t.at.seq)
			one = appendNumber(one, targetPrevious, t.at.previous)
		}
		if t.at.logged != t.at.previous {
			one = appendNumber(one, targetLogged, t.at.logged)
		}
		body = protowire.AppendTag(body, deliveryTarget, protowire.BytesType)
		body = protowire.AppendBytes(body, one)
	}
	b = protowire.AppendTag(b, entryDelivery, protowire.BytesType)
	return protowire.AppendBytes(b, body)
}

func appendNumber(b []byte, number protowire.Number, n uint64) []byte {
	b = protowire.AppendTag(b, number, protowire.VarintType)
	return protowire.AppendVarint(b, n)
}

// appendMembership adds to an inbox entry that a user's topics have changed.
func appendMembership(b []byte, user string) []byte {
	b = protowire.AppendTag(b, entryMembership, protowire.BytesType)
	return protowire.AppendString(b, user)
}

// parseEntry reads an inbox entry. It calls deliver with each delivery, one for
// each channel, whose data is a part of entry, and changed with each user whose
// topics have changed.
func parseEntry(entry []byte, deliver func(delivery), changed func(user string)) error {
	if len(entry) == 0 || entry[0] != formatVersion[0] {
		return fmt.Errorf("inbox entry of %d bytes: %w", len(entry), errVersion)
	}
	return eachField(entry[1:], func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case entryDelivery:
			return parseDelivery(value, deliver)
		case entryMembership:
			changed(string(value))
		}
		return nil
	})
}

func parseDelivery(b []byte, f func(delivery)) error {
	var d delivery
	return eachField(b, func(number protowire.Number, value []byte, _ uint64) (err error) {
		switch number {
		case deliveryRecord:
			d.record, err = parseRecord(value)
		case deliveryTarget:
			if d.channel, d.at, err = parseTarget(value); err == nil {
				f(d)
			}
		}
		return err
	})
}

func parseTarget(b []byte) (ch channel, at position, err error) {
	same := true
	err = eachField(b, func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case targetChannel:
			ch = channel(value)
		case targetSequence:
			at.seq = n
		case targetPrevious:
			at.previous = n
		case targetLogged:
			at.logged, same = n, false
		}
		return nil
	})
	if same {
		at.logged = at.previous
	}
	return ch, at, err
}

func parseSequence(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("sequence %q: %w", s, err)
	}
	return n, nil
}
