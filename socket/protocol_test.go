package socket

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

func TestPositionsAreReadAsTheyWereWritten(t *testing.T) {
	for _, p := range []point{{}, {1, 1}, {1 << 60, 1 << 60}, {1795505099214934, 1795505099214900}} {
		got, err := parsePoint(p.String())
		if err != nil || got != p || len(p.String()) > maxPosition {
			t.Errorf("%v was written as %q and read as %v, %v", p, p, got, err)
		}
	}
	for _, bad := range []string{"", ".", "1.", ".1", "-1", "1 2", "é", "1.2.3", strings.Repeat("1", 65)} {
		if p, err := parsePoint(bad); err == nil {
			t.Errorf("%q was read as %v", bad, p)
		}
	}
}

func TestRequestsAreRead(t *testing.T) {
	connect := func(at string) *connectRequest { return &connectRequest{positions(at)} }
	for in, want := range map[string]request{
		`{}`:                            {},
		`{"connect":{}}`:                {connect: &connectRequest{}},
		`{"connect":{"at":{"":"p"}}}`:   {connect: connect(`{"":"p"}`)},
		`{"connect":{},"data":{"a":1}}`: {connect: &connectRequest{}, payload: []byte(`{"a":1}`)},
		`{"data":null}`:                 {payload: []byte("null")},
		`{"text":""}`:                   {payload: []byte{}, kind: payloadText},
		`{"text":"a\"b","id":7}`:        {payload: []byte(`a"b`), kind: payloadText, id: 7},
		`{"ack":"t","new":[1]}`:         {ack: "t"},
		"b{}\nab\n":                     {payload: []byte("ab\n"), kind: payloadBinary},
		"b{\"id\":2}\n":                 {payload: []byte{}, kind: payloadBinary, id: 2},
	} {
		data, binary := strings.CutPrefix(in, "b")
		if got, err := parseRequest([]byte(data), binary); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q was read as %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, bad := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{"id":-1,"data":1}`, `{"id":1}`, `{"data":1,"text":"a"}`, `{"text":1}`,
		"b", "b{}", "b{\"data\":1}\nx", "bx\ny",
	} {
		data, binary := strings.CutPrefix(bad, "b")
		if got, err := parseRequest([]byte(data), binary); !errors.Is(err, errFrame) {
			t.Errorf("%q was read as %+v, %v", bad, got, err)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"connect":{"at":{"":"p","#room":"q"}},"data":{"token":"x"}}`), false)
	f.Add([]byte("{\"id\":7}\n\x00\xff"), true)
	f.Add([]byte(`{"text":"a","ack":"b"}`), false)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		r, err := parseRequest(data, binary)
		if err != nil {
			if !errors.Is(err, errFrame) {
				t.Errorf("%q: %v is no errFrame", data, err)
			}
			return
		}
		if r.kind == payloadJSON && r.payload != nil && !json.Valid(r.payload) {
			t.Errorf("%q has the payload %q", data, r.payload)
		}
		if r.connect != nil {
			at, _ := r.connect.At.split(func(string) bool { return true })
			for _, at := range at {
				if p, err := parsePoint(at); err == nil && len(p.String()) > maxPosition {
					t.Errorf("position %q is read as %v", at, p)
				}
			}
		}
	})
}

func TestEnvelopes(t *testing.T) {
	text := func(s string) frame { return frame{opcode: websocket.TextMessage, data: []byte(s)} }
	value := func(s string) frame { f := text(s); f.json = true; return f }
	for _, test := range []struct {
		delivery delivery
		want     string
	}{
		{delivery{"u:ada", position{36, 35, 35}, record{frame: value(`{"a":1}`)}}, `{"at":"10","data":{"a":1}}`},
		{delivery{"u:ada", position{36, 35, 34}, record{frame: value(`1`), key: "k"}}, `{"at":"10.y","data":1}`},
		{delivery{"u:ada", position{}, record{frame: text(`a"b`)}}, `{"text":"a\"b"}`},
		{delivery{broadcast, position{1, 0, 0}, record{frame: text("x")}}, `{"at":"1","on":"*","text":"x"}`},
		{delivery{"t:room", position{1, 0, 0}, record{frame: text("x"), ack: "t"}}, `{"at":"1","on":"#room","ack":"t","text":"x"}`},
		{delivery{"u:ada", position{1, 0, 0}, record{frame: frame{opcode: websocket.BinaryMessage, data: []byte{0, '\n'}}}}, "{\"at\":\"1\"}\n\x00\n"},
	} {
		if got := string(test.delivery.envelope().append(nil, test.delivery.record.frame)); got != test.want {
			t.Errorf("%v: %q, want %q", test.delivery, got, test.want)
		}
	}
	if got := string((envelope{}).alone().data); got != "{}" {
		t.Errorf("heartbeat %q", got)
	}
}
