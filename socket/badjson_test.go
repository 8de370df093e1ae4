package socket

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A client is told what is wrong with its JSON, and nothing of the program's types.
func TestClientsAreNotToldTheNamesOfTypes(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		type secretOrder struct {
			ID    string `json:"id"`
			Count int    `json:"count,string"`
		}
		s := serve(t, &Server{Redis: rdb, Handlers: Handlers{OnMessage: JSON(func(context.Context, secretOrder) error { return nil })}})
		d := dial(t, s.URL)
		for message, want := range map[string]string{
			`{"id":1}`:        `{"error":"bad message: id cannot be a JSON number"}`,
			`[]`:              `{"error":"bad message: the value cannot be a JSON array"}`,
			`{"count":"ten"}`: `{"error":"bad message: a value has the wrong type"}`,
		} {
			d.say(message)
			d.expect(want)
		}
		for frame, want := range map[string]string{
			`{"connect":1}`:                      "not a frame of queuerun.v1: connect cannot be a JSON number",
			`{"connect":{"at":1}}`:               "not a frame of queuerun.v1: positions are an object of strings",
			`{"connect":{"at":{"a":{}}}}`:        "not a frame of queuerun.v1: positions are an object of strings",
			`{"connect":{"at":{"a":"1","b":1}}}`: "not a frame of queuerun.v1: positions are an object of strings",
			`{"id":"x"}`:                         "not a frame of queuerun.v1: id cannot be a JSON string",
			`{"text":[]}`:                        "not a frame of queuerun.v1: text cannot be a JSON array",
		} {
			c := dialWireFor(t, s.URL, Protocol)
			c.say(masked(aText, frame))
			c.expect(wireFrame{aClose, closeWith(CloseProtocol, want)})
		}
	})
}

func TestDecodeKeepsTheErrorOfEncodingJSON(t *testing.T) {
	var misfit *json.UnmarshalTypeError
	err := (&Message{Data: []byte(`"x"`)}).Decode(new(int))
	if !errors.Is(err, ErrBadMessage) || !errors.As(err, &misfit) || strings.Contains(err.Error(), "Go") {
		t.Errorf("%v", err)
	}
	var syntax *json.SyntaxError
	if err := (&Message{Data: []byte(`{x`)}).Decode(new(int)); !errors.As(err, &syntax) {
		t.Errorf("%v", err)
	}
}
