package client_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// connection is one of a client, on the server's side.
type connection struct {
	ws       *websocket.Conn
	number   int
	received chan frame

	mu    sync.Mutex // one writer at a time
	rules rules
}

// frame is what a client sent, or the code with which it closed the connection.
type frame struct {
	Text   string `json:"text,omitempty"`
	Binary []byte `json:"binary,omitempty"`
	Closed int    `json:"closed,omitempty"`
}

func (c *connection) read(t *testing.T) {
	for {
		kind, data, err := c.ws.ReadMessage()
		if err != nil {
			end := frame{Closed: websocket.CloseAbnormalClosure}
			if closed, ok := err.(*websocket.CloseError); ok {
				end.Closed = closed.Code
			}
			c.received <- end
			c.ws.Close()
			return
		}
		c.mu.Lock()
		if err := c.rules.client(kind, data); err != nil {
			t.Errorf("a client sent %q: %v", data, err)
		}
		c.mu.Unlock()
		if kind == websocket.BinaryMessage {
			c.received <- frame{Binary: data}
		} else {
			c.received <- frame{Text: string(data)}
		}
	}
}

// receive returns the next frame of the client.
func (c *connection) receive() (frame, error) {
	select {
	case f := <-c.received:
		return f, nil
	case <-time.After(patience):
		return frame{}, fmt.Errorf("nothing came on connection %d within %v", c.number, patience)
	}
}

func (c *connection) send(f frame) error {
	kind, data := websocket.TextMessage, []byte(f.Text)
	if f.Binary != nil {
		kind, data = websocket.BinaryMessage, f.Binary
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rules.server(kind, data)
	return c.ws.WriteMessage(kind, data)
}

func (c *connection) close(code int, reason string) error {
	message := websocket.FormatCloseMessage(code, reason)
	return c.ws.WriteControl(websocket.CloseMessage, message, time.Now().Add(time.Second))
}
