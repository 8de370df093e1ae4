package main

import (
	"context"
	"fmt"
)

// request is a message from the page. Type says which of the other fields it
// uses.
type request struct {
	Type string `json:"type"`
	Name string `json:"name"` // signin
	Text string `json:"text"` // chat
	Item string `json:"item"` // order
}

// receive handles the messages of a user who is signed in.
func receive(ctx context.Context, in request) error {
	switch in.Type {
	case "enter":
		return enter(ctx)
	case "chat":
		return say(ctx, in.Text)
	case "order":
		return place(ctx, in.Item)
	default:
		return fmt.Errorf("unknown message type %q", in.Type)
	}
}
