package cmd_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/queuerun/queuerun/cmd"
	"github.com/queuerun/queuerun/jobs"
)

// A program with one queue and one page, run in a test: without a RedisURL the
// Redis is inside the process.
func ExampleApp_Run() {
	greetings := jobs.NewQueue[string]("greetings")
	greeted := make(chan string, 1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	app := cmd.App{
		Jobs: []jobs.Handler{greetings.Handle(func(_ context.Context, name string) error {
			greeted <- "hello " + name
			return nil
		})},
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := greetings.Push(r.Context(), r.URL.Query().Get("name")); err != nil {
				http.Error(w, "try again later", http.StatusServiceUnavailable)
			}
		}),
		Listener: listener,
		Logger:   slog.New(slog.DiscardHandler),
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- app.Run(ctx, "web", "worker") }()

	res, err := http.Get("http://" + listener.Addr().String() + "/?name=world")
	if err != nil {
		panic(err)
	}
	res.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(<-greeted)

	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// hello world
	// ended: <nil>
}
