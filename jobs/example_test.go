package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/embedded"
)

type Order struct {
	ID string `json:"id"`
}

// Orders is declared once, and shared by whoever pushes and whoever works.
var Orders = jobs.NewQueue[Order]("orders.fifo")

func Example() {
	server, err := embedded.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	rdb := server.Client()
	defer rdb.Close()

	done := make(chan struct{}, 2)
	fulfil := func(ctx context.Context, o Order) error {
		job, _ := jobs.FromContext(ctx)
		fmt.Printf("order %s of %s, attempt %d\n", o.ID, jobs.UserID(ctx), job.Attempt)
		if o.ID == "first" && job.Attempt == 1 {
			return errors.New("out of stock") // The second order waits for the first.
		}
		done <- struct{}{}
		return nil
	}
	handlers := []jobs.Handler{Orders.Handle(fulfil, jobs.Timeout(time.Minute))}

	ctx, stop := context.WithCancel(context.Background())
	worker := &jobs.Worker{Redis: rdb, Handlers: handlers, Logger: slog.New(slog.DiscardHandler)}
	stopped := make(chan error)
	go func() { stopped <- worker.Run(ctx) }()

	client := jobs.NewClient(rdb)
	client.Handles = handlers
	request := jobs.WithUserID(client.Context(context.Background()), "ada")
	for _, id := range []string{"first", "second"} {
		if _, err := Orders.Group("ada").Push(request, Order{id}); err != nil {
			fmt.Println(err)
		}
	}
	<-done
	<-done
	stop()
	fmt.Println(<-stopped)
	// Output:
	// order first of ada, attempt 1
	// order first of ada, attempt 2
	// order second of ada, attempt 1
	// <nil>
}

// A push needs a context that carries a client.
func ExampleQueue_Push() {
	_, err := Orders.Group("ada").Push(context.Background(), Order{"first"})
	fmt.Println(errors.Is(err, jobs.ErrNoClient))
	fmt.Println(err)
	// Output:
	// true
	// push to queue "orders.fifo": the context carries no jobs client
}
