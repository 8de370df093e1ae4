package socket_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gorilla/websocket"
	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/queuerun/queuerun/socket"
)

// A server whose clients say who they are in their first message, and a message
// that is sent to two of them from outside.
func Example() {
	redis, err := embedded.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer redis.Close()
	rdb := redis.Client()
	defer rdb.Close()

	server := &socket.Server{Redis: rdb, Logger: slog.New(slog.DiscardHandler), Handlers: socket.Handlers{
		Authenticate: func(ctx context.Context, m *socket.Message) (*socket.User, error) {
			var in struct{ Name string }
			if err := m.Decode(&in); err != nil {
				return nil, err
			}
			return &socket.User{ID: in.Name}, socket.Send(ctx, "welcome "+in.Name)
		},
		OnMessage: socket.Text(func(ctx context.Context, text string) error {
			return socket.Send(ctx, "you said "+text)
		}),
	}}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- server.Run(ctx) }()
	front := httptest.NewServer(server)
	defer front.Close()

	client := connect("ws" + strings.TrimPrefix(front.URL, "http"))
	defer client.Close()
	say(client, `{"Name": "ada"}`)
	hear(client)
	say(client, "hello")
	hear(client)

	outside := socket.NewSender(rdb).Context(context.Background())
	if err := socket.To("ada", "bob").Send(outside, map[string]int{"unread": 3}); err != nil {
		fmt.Println(err)
	}
	hear(client)

	stop()
	hear(client)
	fmt.Println(<-stopped)
	// Output:
	// welcome ada
	// you said hello
	// {"unread":3}
	// websocket: close 1012: the server is restarting
	// <nil>
}

func ExampleReject() {
	h := socket.Handlers{OnConnect: func(ctx context.Context, r *http.Request) (*socket.User, error) {
		cookie, err := r.Cookie("session")
		if err != nil {
			return nil, socket.Reject(http.StatusUnauthorized, "sign in first")
		}
		return &socket.User{ID: cookie.Value}, nil
	}}
	_, err := h.OnConnect(context.Background(), httptest.NewRequest("GET", "/socket", nil))
	fmt.Println(err)
	// Output: sign in first (HTTP 401)
}

// connect waits until the server runs.
func connect(url string) *websocket.Conn {
	for {
		conn, resp, err := websocket.DefaultDialer.Dial(url, nil)
		if err == nil {
			return conn
		}
		if resp == nil || resp.StatusCode != http.StatusServiceUnavailable {
			panic(err)
		}
	}
}

func say(c *websocket.Conn, text string) {
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		fmt.Println(err)
	}
}

func hear(c *websocket.Conn) {
	_, data, err := c.ReadMessage()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(data))
}
