package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/embedded"
)

type Signup struct {
	Email      string `json:"email"`
	Newsletter bool   `json:"newsletter"`
}

var Signups = jobs.NewQueue[Signup]("signups.fifo")

// A form that a browser posts becomes a job. The path says which group the job
// belongs to, and what of it is a Param.
func ExampleQueue_HTTP() {
	server, err := embedded.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb := server.Client()
	defer rdb.Close()

	done := make(chan struct{})
	welcome := func(ctx context.Context, s Signup) error {
		job, _ := jobs.FromContext(ctx)
		fmt.Printf("%s, newsletter %t, at %s, in %s\n", s.Email, s.Newsletter, job.Group, job.Params["lang"])
		close(done)
		return nil
	}
	handlers := []jobs.Handler{Signups.Handle(welcome)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	worker := &jobs.Worker{Redis: rdb, Handlers: handlers, Logger: slog.New(slog.DiscardHandler)}
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(ctx) }()

	mux := http.NewServeMux()
	mux.Handle("POST /shops/{group}/signups", Signups.HTTP())

	// The context of every request carries the client.
	client := jobs.NewClient(rdb)
	client.Handles = handlers
	web := httptest.NewUnstartedServer(mux)
	web.Config.BaseContext = func(net.Listener) context.Context { return client.Context(context.Background()) }
	web.Start()
	defer web.Close()

	form := url.Values{"email": {"ada@example.com"}, "newsletter": {"on"}}
	answer, err := web.Client().PostForm(web.URL+"/shops/berlin/signups?lang=de", form)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer.Body.Close()
	fmt.Println(answer.Status)
	<-done
	stop()
	fmt.Println(<-stopped)
	// Unordered output:
	// 202 Accepted
	// ada@example.com, newsletter true, at berlin, in de
	// <nil>
}
