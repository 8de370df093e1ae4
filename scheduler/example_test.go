package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/queuerun/queuerun/scheduler"
)

func ExampleNew() {
	report := func(ctx context.Context) error { return nil }
	fmt.Println(scheduler.New("report", "every 15 minutes", report).Err())
	fmt.Println(scheduler.New("report", "0 0 31 2 *", report).Err())
	// Output:
	// <nil>
	// schedule "report", spec "0 0 31 2 *": column 1: it never fires: no date matches its fields
}

// A scheduler and a worker, as package cmd runs them in their roles.
func ExampleScheduler() {
	server, err := embedded.Start()
	if err != nil {
		panic(err)
	}
	defer server.Close()
	rdb := server.Client()
	defer rdb.Close()

	ticks := make(chan scheduler.Run, 10)
	schedules := []scheduler.Schedule{scheduler.New("pulse", "every second", func(ctx context.Context) error {
		tick, _ := scheduler.FromContext(ctx)
		ticks <- tick
		return nil
	}, scheduler.Timeout(time.Minute))}
	handlers := []jobs.Handler{scheduler.Handler(schedules)}
	client := jobs.NewClient(rdb)
	client.Handles = handlers

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	worker := &jobs.Worker{Redis: rdb, Handlers: handlers, Logger: slog.New(slog.DiscardHandler)}
	ticker := &scheduler.Scheduler{Redis: rdb, Jobs: client, Schedules: schedules}
	go func() { ended <- worker.Run(client.Context(ctx)) }()
	go func() { ended <- ticker.Run(ctx) }()
	tick := <-ticks
	fmt.Println(tick.Name, tick.Cron, tick.At.Nanosecond())
	stop()
	fmt.Println(<-ended, <-ended)
	// Output:
	// pulse every second 0
	// <nil> <nil>
}

func ExampleCatchUp() {
	invoice := func(ctx context.Context) error { return nil }
	schedules := []scheduler.Schedule{
		scheduler.New("invoices", "0 9 1 * *", invoice, scheduler.CatchUp(scheduler.Latest)), // better late than never
		scheduler.New("hourly figures", "hourly", invoice, scheduler.CatchUp(scheduler.All(24)), scheduler.Overlap(scheduler.Queue)),
		scheduler.New("wake-up call", "0 7 * * *", invoice, scheduler.CatchUp(scheduler.Skip)), // not at noon
		scheduler.New("metrics", "every minute", invoice, scheduler.Jitter(20*time.Second), scheduler.Overlap(scheduler.Allow)),
		scheduler.New("wrong", "every minute", invoice, scheduler.CatchUp(scheduler.Queue)),
	}
	fmt.Println(scheduler.Check(schedules))
	// Output:
	// schedule "wrong", spec "every minute": CatchUp(Queue): want Skip, Latest or All(max)
}

func ExampleTrigger() {
	server, err := embedded.Start()
	if err != nil {
		panic(err)
	}
	defer server.Close()
	rdb := server.Client()
	defer rdb.Close()

	// A program that shares the Redis, and not the declaration of its schedules.
	ctx := jobs.NewClient(rdb).Context(context.Background())
	_, err = scheduler.Trigger(ctx, "report")
	fmt.Println(err, errors.Is(err, scheduler.ErrUnknown))
	// Output:
	// run schedule "report" by hand: no such schedule true
}
