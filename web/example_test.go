package web_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/queuerun/queuerun/socket"
	"github.com/queuerun/queuerun/web"
)

func ExampleServer() {
	redis, err := embedded.Start()
	if err != nil {
		panic(err)
	}
	defer redis.Close()
	rdb := redis.Client()
	defer rdb.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := &web.Server{
		Listener: listener,
		Redis:    rdb,
		Authenticate: func(r *http.Request) (*socket.User, error) {
			if r.Header.Get("Authorization") != "Bearer of good news" {
				return nil, socket.Reject(http.StatusUnauthorized, "no good news")
			}
			return &socket.User{ID: "ann"}, nil
		},
		App: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "hello", jobs.UserID(r.Context()))
		}),
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- server.Run(ctx) }()

	get := func(path, authorization string) {
		req, _ := http.NewRequest("GET", "http://"+listener.Addr().String()+path, nil)
		req.Header.Set("Authorization", authorization)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			panic(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		fmt.Printf("%d %s", res.StatusCode, body)
	}
	get("/readyz", "")
	get("/", "Bearer of bad news")
	get("/", "Bearer of good news")

	http.DefaultClient.CloseIdleConnections()
	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// 200 {"status":"ok"}
	// 401 {"error":"no good news"}
	// 200 hello ann
	// ended: <nil>
}
