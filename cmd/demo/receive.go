package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/queuerun/queuerun/socket"
)

// messages are what a page may send, by type. What it awaits is answered.
var messages = map[string]func(context.Context, *socket.Message) error{
	"enter":  socket.Answer(enter),
	"chat":   socket.Answer(say),
	"order":  socket.Answer(place),
	"typing": socket.JSON(typing),
}

// receive handles the messages of a user who is signed in.
func receive(ctx context.Context, m *socket.Message) error {
	var in struct {
		Type string `json:"type"`
	}
	if err := m.Decode(&in); err != nil {
		return err
	}
	handle, ok := messages[in.Type]
	if !ok {
		return fmt.Errorf("unknown message type %q", in.Type)
	}
	return handle(ctx, m)
}

// A page names each line and each order with letters and digits of its own
// making. It cannot know what became of a request that was on its way when its
// connection broke: it repeats it, and the name tells that it is the same.
const minRef, maxRef = 8, 32

func checkRef(ref string) error {
	if len(ref) < minRef || len(ref) > maxRef {
		return fmt.Errorf("a ref has %d to %d characters, this one has %d", minRef, maxRef, len(ref))
	}
	for _, c := range []byte(ref) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return errors.New("a ref has letters and digits only")
		}
	}
	return nil
}
