package client

import (
	"context"
	"errors"
	"reflect"
	"testing"
)

func TestKindsOfMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		got := make(chan Message, 10)
		s.run(&Client{OnMessage: func(_ context.Context, m Message) error { got <- m; return nil }})
		p := s.welcome(fresh, `{"connection":"c1","at":{"":"p0"}}`)
		p.say(`{"at":"p1","data":{"Name":"ada"}}`)
		p.say(`{"at":"p2","text":"a \"quoted\" text\n","on":"#room"}`)
		p.sayBinary(`{"at":"p3","on":"*"}` + "\n\x00\xff\n")
		p.sayBinary("{}\n")
		p.say(`{"text":""}`)
		p.say(`{"data":null}`)
		p.say(`{"future":true}`)
		want := []Message{
			{"", "p1", JSON, []byte(`{"Name":"ada"}`)},
			{"#room", "p2", Text, []byte("a \"quoted\" text\n")},
			{"*", "p3", Binary, []byte("\x00\xff\n")},
			{"", "", Binary, []byte{}},
			{"", "", Text, []byte{}},
			{"", "", JSON, []byte("null")},
		}
		for _, want := range want {
			if m := eventually(t, got, "a message"); !reflect.DeepEqual(m, want) {
				t.Fatalf("message %+v, want %+v", m, want)
			}
		}
		p.silent()
		if len(got) > 0 {
			t.Fatalf("one message too many: %+v", <-got)
		}
	})
}

// TestBadFramesEndTheConnection with a code that says so; the client comes back.
func TestBadFramesEndTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *stage) {
		s.run(&Client{OnMessage: func(context.Context, Message) error { t.Error("called"); return nil }})
		for frame, end := range map[string]string{
			`[]`:                  "close 1002 (protocol error): bad frame",
			`{"data":1`:           "close 1002 (protocol error): bad frame",
			`{"at":1,"data":1}`:   "close 1002 (protocol error): bad frame",
			"{\"text\":\"\xff\"}": "close 1007 (invalid payload data): text is not UTF-8",
		} {
			p := s.welcome(fresh, `{"connection":"c1"}`)
			p.say(frame)
			p.expect(end)
		}
		p := s.next()
		p.expect(fresh)
		p.say(`{"connected":7}`)
		p.expect("close 1002 (protocol error): bad frame")
		p = s.welcome(fresh, `{"connection":"c1"}`)
		p.sayBinary("no line feed")
		p.expect("close 1002 (protocol error): bad frame")
	})
}

func TestDecode(t *testing.T) {
	var v struct{ N int }
	if err := (Message{Kind: JSON, Data: []byte(` {"N":7} `)}).Decode(&v); err != nil || v.N != 7 {
		t.Fatal(v, err)
	}
	if err := (Message{Kind: Text, Data: []byte(`{"N":8}`)}).Decode(&v); err != nil || v.N != 8 {
		t.Fatal(v, err)
	}
	for _, m := range []Message{
		{}, {Kind: Binary, Data: []byte("7")}, {Kind: JSON, Data: []byte(`{"N":"x"}`)}, {Kind: Text, Data: []byte(`{} {}`)},
	} {
		if err := m.Decode(&v); !errors.Is(err, ErrBadMessage) {
			t.Errorf("decode %+v: %v", m, err)
		}
	}
}
