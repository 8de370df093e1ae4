package socket

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/encoding/protowire"
)

func someTargets() []*target {
	return []*target{
		{channel: "u:a b", at: position{2, 1, 1}},
		{channel: "t:100 % {sure}", at: position{9_999_999_999_999_999, 3, 2}},
		{channel: broadcast},
	}
}

func TestAnInboxEntryIsReadAsItWasWritten(t *testing.T) {
	r := record{frame{opcode: websocket.BinaryMessage, data: []byte{0, 255}}, "key", "ack"}
	entry := appendDelivery([]byte(formatVersion), r.stored("1"), someTargets())
	entry = appendDelivery(entry, record{frame: frame{opcode: websocket.TextMessage, data: []byte{}}}.stored("2"), someTargets()[:1])
	entry = appendMembership(entry, "ada", "sure")
	var got []delivery
	var changed []string
	err := parseEntry(string(entry), func(ch channel, at position, r record) { got = append(got, delivery{ch, at, r}) },
		func(user, topic string) { changed = append(changed, user, topic) })
	if err != nil {
		t.Fatal(err)
	}
	var want []delivery
	for _, to := range someTargets() {
		want = append(want, delivery{to.channel, to.at, r})
	}
	want = append(want, delivery{"u:a b", position{2, 1, 1}, record{frame: frame{opcode: websocket.TextMessage, data: []byte{}}}})
	if !reflect.DeepEqual(got, want) || !slices.Equal(changed, []string{"ada", "sure"}) {
		t.Errorf("read %v and %v, want %v", got, changed, want)
	}
}

// Nothing else tells a repeat from another send.
func TestNoTwoSendsAreStoredAlike(t *testing.T) {
	r := record{frame: frame{opcode: websocket.TextMessage, data: make([]byte, 1000)}}
	if one := r.stored("1"); one == r.stored("2") || one != r.stored("1") {
		t.Errorf("stored as %q", one)
	}
}

func FuzzParseEntry(f *testing.F) {
	r := record{frame{opcode: websocket.TextMessage, data: []byte(`"news"`), json: true}, "", "t"}
	f.Add(appendDelivery([]byte(formatVersion), r.stored("1"), someTargets()))
	f.Add([]byte(formatVersion))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, entry []byte) {
		_ = parseEntry(string(entry), func(_ channel, _ position, r record) {
			again, err := parseStored(r.stored("1"))
			if err != nil || !reflect.DeepEqual(again, r) && len(r.data) > 0 {
				t.Errorf("%v was read as %v, %v", r, again, err)
			}
		}, func(_, _ string) {})
	})
}

func TestWhatAnotherVersionWroteIsRefused(t *testing.T) {
	r := record{frame: frame{opcode: websocket.TextMessage, data: []byte("x")}}.append(nil)
	if _, err := parseRecord(append([]byte("2"), r[1:]...)); !errors.Is(err, errVersion) {
		t.Errorf("record: %v", err)
	}
	if err := parseEntry("2", nil, nil); !errors.Is(err, errVersion) {
		t.Errorf("entry: %v", err)
	}
	for _, bad := range []record{{frame: frame{opcode: 3}}, {frame: frame{opcode: websocket.CloseMessage, data: []byte{1}}}} {
		if r, err := parseRecord(bad.append(nil)); err == nil {
			t.Errorf("read %v", r)
		}
	}
}

func TestAFieldFromTheFutureIsSkipped(t *testing.T) {
	b := record{frame: frame{opcode: websocket.TextMessage, data: []byte("x")}}.append(nil)
	b = protowire.AppendTag(b, 99, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, 7)
	if r, err := parseRecord(b); err != nil || string(r.data) != "x" {
		t.Errorf("read %v, %v", r, err)
	}
}
