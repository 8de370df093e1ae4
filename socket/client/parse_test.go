package client

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]frame{
		`{}`:            {event: eventHeartbeat},
		" \t\r\n{ \n} ": {event: eventHeartbeat},
		`{"at":"p","data":[{"a":"]}\""},-1.5e3]}`:  {event: eventMessage, at: "p", kind: JSON, data: []byte(`[{"a":"]}\""},-1.5e3]`)},
		`{ "on" : "#r" , "text" : "\u00e9\n" }`:    {event: eventMessage, channel: "#r", kind: Text, data: []byte("é\n")},
		`{"ack":"k","data":1,"id":null}`:           {event: eventMessage, ack: "k", kind: JSON, data: []byte("1")},
		`{"\u0061t":"p","data":1}`:                 {event: eventMessage, at: "p", kind: JSON, data: []byte("1")},
		`{"AT":"p","data":1}`:                      {event: eventMessage, kind: JSON, data: []byte("1")},
		`{"id":7}`:                                 {event: eventReply, id: 7},
		`{"id":18446744073709551615,"text":"x"}`:   {event: eventReply, id: 1<<64 - 1, kind: Text, data: []byte("x")},
		`{"id":7,"error":""}`:                      {event: eventReply, id: 7, failed: true},
		`{"error":"why"}`:                          {event: eventError, failed: true, reason: "why"},
		`{"missed":"#r","at":"p"}`:                 {event: eventMissed, channel: "#r", at: "p"},
		`{"at":"p","missed":""}`:                   {event: eventMissed, at: "p"},
		`{"joined":"#r","at":"p"}`:                 {event: eventJoined, channel: "#r", at: "p"},
		`{"left":"#r"}`:                            {event: eventLeft, channel: "#r"},
		`{"reconnect":{"after":1500}}`:             {event: eventReconnect, after: 1500 * time.Millisecond},
		`{"reconnect":{"after":-1}}`:               {event: eventReconnect},
		`{"reconnect":{"after":1e300}}`:            {event: eventReconnect, after: farthest},
		`{"connected":{"at":{"":"p"},"user":"a"}}`: {event: eventConnected, hello: &hello{User: "a", At: map[string]string{"": "p"}}},
		`{"future":{"data":1}}`:                    {},
	} {
		if got, err := parse(false, []byte(in)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("parse %s: %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{
		``, ` `, `[]`, `"x"`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{,}`, `{"a" 1}`, `{a:1}`, `{} {}`,
		`{"a":tru}`, `{"a":01}`, `{"a":}`, `{"a":[}`, `{"a":["]}`, `{"a":"\"}`, "{\"a\":\"\n\"}", `{"at":1}`, `{"id":-1}`, `{"id":1.5}`, `{"id":"1"}`,
		`{"text":"\q"}`, `{"error":{}}`, `{"missed":[]}`, `{"connected":[]}`, `{"reconnect":1}`, "{\"a\":\"\xff\"}", `{"\q":1}`,
	} {
		if got, err := parse(false, []byte(in)); err == nil {
			t.Errorf("parse %s: %+v", in, got)
		}
	}
}

func TestParseBinary(t *testing.T) {
	payload := []byte("\x00\n\xff")
	in := append([]byte("{\"at\":\"p\",\"on\":\"*\",\"data\":1,\"text\":\"x\"}\n"), payload...)
	want := frame{event: eventMessage, at: "p", channel: "*", kind: Binary, data: payload}
	got, err := parse(true, in)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("parse: %+v, %v; want %+v", got, err, want)
	}
	for i := range in { // which is used for the next frame
		in[i] = 'x'
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("the frame shares memory with the buffer: %+v", got)
	}
}

// reference parses a text frame with encoding/json.
func reference(data []byte) (frame, bool) {
	var members map[string]json.RawMessage
	if !utf8.Valid(data) || json.Unmarshal(data, &members) != nil || members == nil {
		return frame{}, false
	}
	var f frame
	ok := true
	text := func(name string) (value string, is bool) {
		raw := members[name]
		if raw == nil || string(raw) == "null" {
			return "", false
		}
		ok = json.Unmarshal(raw, &value) == nil && ok
		return value, true
	}
	f.at, _ = text("at")
	f.channel, _ = text("on")
	f.ack, _ = text("ack")
	f.reason, f.failed = text("error")
	if raw := members["id"]; raw != nil {
		ok = json.Unmarshal(raw, &f.id) == nil && ok
	}
	data, isData := members["data"]
	value, isText := text("text")
	switch {
	case isData && isText:
		return frame{}, false // which one holds, the order says
	case isData:
		f.kind, f.data = JSON, data
	case isText:
		f.kind, f.data = Text, []byte(value)
	}
	for _, name := range []string{"connected", "reconnect", "missed", "joined", "left"} {
		if members[name] != nil {
			return frame{}, false
		}
	}
	switch {
	case f.id != 0:
		f.event = eventReply
	case f.failed:
		f.event = eventError
	case f.kind != None:
		f.event = eventMessage
	case len(members) == 0:
		f.event = eventHeartbeat
	}
	return f, ok
}

// twice tells whether an object may name a member twice, of which parse takes the
// last that is not null.
func twice(data []byte) bool {
	names := map[string]bool{}
	repeated := false
	_ = members(data, func(name, _ []byte) error {
		var plain string
		_ = json.Unmarshal(name, &plain)
		repeated = repeated || names[plain]
		names[plain] = true
		return nil
	})
	return repeated
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"at":"p","on":"#room","data":{"a":[1,"]"]}}`, `{"text":"\u00e9\"","ack":"t"}`, `{"id":7,"error":"no"}`, `{"missed":"","at":"p"}`,
		`{"connected":{"at":{"":"p"},"heartbeat":25000,"lost":["#x"],"recovered":false}}`, `{"reconnect":{"after":1e9}}`, "{\"at\":\"p\"}\n\x00\xff",
		`{"at":null,"data":null}`, `{"joined":"#r"}`, `{"a":{}`, `{"i\u0064":1}`, `{"data":"\ud800"}`, `{"text":"\ud800"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		data := []byte(in)
		_, _ = parse(true, data)
		got, err := parse(false, data)
		if !bytes.Equal(data, []byte(in)) {
			t.Fatal("parse changed its input")
		}
		if want, ok := reference(data); ok && !twice(data) && (err != nil || !reflect.DeepEqual(got, want)) {
			t.Fatalf("parse %q: %+v, %v; want %+v", in, got, err, want)
		}
	})
}

// FuzzEncode checks that what is sent arrives, as a server reads it.
func FuzzEncode(f *testing.F) {
	f.Add("text \"\\\n\x00 <é>", uint64(7))
	f.Add("\xff", uint64(0))
	f.Fuzz(func(t *testing.T, text string, id uint64) {
		_, data, err := encode(text, id)
		if valid := utf8.ValidString(text); valid != (err == nil) {
			t.Fatalf("encode %q: %v", text, err)
		}
		if err == nil {
			if got, err := parse(false, data); err != nil || got.id != id || got.kind != Text || string(got.data) != text {
				t.Fatalf("encode %q: %s reads as %+v, %v", text, data, got, err)
			}
		}
		_, data, err = encode([]byte(text), id)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parse(true, data); err != nil || got.id != id || got.kind != Binary || string(got.data) != text {
			t.Fatalf("encode %q: %q reads as %+v, %v", text, data, got, err)
		}
		if utf8.ValidString(text) {
			if got, err := parse(false, encodeAck(text)); err != nil || got.ack != text {
				t.Fatalf("acknowledge %q: %+v, %v", text, got, err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	data := []byte(`{"at":"1790000000000000-0:1790000000123456","on":"#room","data":{"ID":"o-1234","Status":"preparing","Note":"` +
		`0123456789012345678901234567890123456789012345678901234567890123456789"}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(false, data); err != nil {
			b.Fatal(err)
		}
	}
}
