package jobs_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// afterLook calls a function after each look of a worker at a queue, before the
// worker has the reply.
type afterLook func(cmd redis.Cmder)

func (afterLook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (afterLook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (after afterLook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if args := cmd.Args(); err == nil && len(args) > 3 {
			if key, _ := args[3].(string); strings.HasSuffix(key, ":pending") {
				after(cmd)
				err = cmd.Err()
			}
		}
		return err
	}
}

func TestStopLeavesNoJobBehindThatItDoesNotKnow(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		handler := queue.Handle(ignore[int])
		ctx := clientContext(rdb, handler)
		id := must(t)(queue.Push(ctx, 1))
		working, stop := context.WithCancel(context.Background())
		proxied := redistest.Client(t, rdb.Options().Addr)
		proxied.AddHook(afterLook(func(cmd redis.Cmder) {
			stop()
			cmd.SetErr(io.ErrUnexpectedEOF) // The reply is lost.
		}))
		w := &jobs.Worker{Redis: proxied, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.DiscardHandler)}
		if err := w.Run(working); err != nil {
			t.Fatal(err)
		}
		if n := rdb.ZCard(ctx, "queuerun:{workers}:live").Val(); n != 1 {
			t.Errorf("%d leases are left, want the one under which the job is to be recovered", n)
		}
		waitForState(t, rdb, "q", id, asynq.TaskStateActive)
	})
}

func TestStopIsBoundedWhenRedisGoesAway(t *testing.T) {
	server := redistest.Real(t)
	queue := jobs.NewQueue[int]("q")
	handler := queue.Handle(ignore[int], jobs.Concurrency(60))
	if _, err := queue.PushMany(clientContext(server.Client(t), handler), make([]int, 60)); err != nil {
		t.Fatal(err)
	}
	working, stop := context.WithCancel(context.Background())
	rdb := server.Client(t)
	rdb.AddHook(afterLook(func(redis.Cmder) {
		stop()
		server.Kill() // Before the jobs can be given back.
	}))
	w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.DiscardHandler), Drain: time.Millisecond}
	result := make(chan error, 1)
	go func() { result <- w.Run(working) }()
	select {
	case <-result:
	case <-time.After(2 * soon):
		t.Error("the worker does not stop")
		server.Start()
		<-result
	}
}
