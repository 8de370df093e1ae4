package client_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/socket/client"
)

// A client that greets, receives, asks, and later goes on where it was.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(shop))
	defer server.Close()

	type Status struct{ ID, Status string }
	ready := make(chan struct{})
	c := &client.Client{
		URL:  "ws" + strings.TrimPrefix(server.URL, "http"),
		Auth: client.Credentials(map[string]string{"token": "ada's"}),
		OnConnected: func(_ context.Context, s client.Session) {
			fmt.Println("connected as", s.User)
		},
		OnMessage: func(_ context.Context, m client.Message) error {
			var s Status
			if err := m.Decode(&s); err != nil {
				return err
			}
			fmt.Println(s.ID, s.Status)
			close(ready)
			return nil
		},
		OnLost: func(_ context.Context, channels []string) error {
			fmt.Println("fetch anew what belongs to", channels)
			return nil
		},
		Logger: slog.New(slog.DiscardHandler),
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()

	<-ready
	reply, err := c.Request(ctx, "how many?")
	fmt.Println(reply, err)
	stop()
	fmt.Println(<-ended)
	fmt.Println("a later process resumes from", c.Positions())
	// Output:
	// connected as ada
	// o-1 shipped
	// 3 <nil>
	// <nil>
	// a later process resumes from map[:p1]
}

// shop is a server of one conversation.
func shop(w http.ResponseWriter, r *http.Request) {
	upgrade := websocket.Upgrader{Subprotocols: []string{"queuerun.v1"}}
	ws, err := upgrade.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	for _, frames := range [][]string{
		{`{"connected":{"connection":"c1","user":"ada","at":{"":"p0"}}}`, `{"at":"p1","data":{"ID":"o-1","Status":"shipped"}}`},
		{`{"id":1,"data":3}`},
		nil,
	} {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
		for _, frame := range frames {
			if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
				return
			}
		}
	}
}
