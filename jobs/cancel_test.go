package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

func TestCancelIsForgottenWhenTheJobSucceeded(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		started, release := make(chan struct{}, 1), make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			switch job, _ := jobs.FromContext(ctx); job.Attempt {
			case 1:
				started <- struct{}{}
				<-release
			case 2:
				return errors.New("no luck")
			}
			return nil
		}, fast)
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		client := jobs.NewClient(rdb)
		id := must(t)(queue.Push(ctx, 1, jobs.Retain(time.Hour)))
		<-started
		if err := client.Cancel(ctx, "q", id); err != nil {
			t.Fatal(err)
		}
		close(release)
		waitForState(t, rdb, "q", id, asynq.TaskStateCompleted)
		if err := inspect(rdb).RunTask("q", id); err != nil {
			t.Fatal(err)
		}
		var info jobs.Info
		redistest.Eventually(t, soon, "the job that is run again to end", func() bool {
			info, _ = client.Get(ctx, "q", id)
			return info.State.Ended() && info.Job.Attempt > 1
		})
		if info.State != jobs.Completed || info.Job.Attempt != 3 {
			t.Errorf("the job is %s at attempt %d, want completed at the third", info.State, info.Job.Attempt)
		}
	})
}

func TestCancelHoldsWhileTheWorkerStops(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		started := make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			started <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}, fast)
		stop := runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Drain: time.Millisecond})
		ctx := clientContext(rdb, handler)
		id := must(t)(queue.Push(ctx, 1))
		<-started
		rdb.HSet(ctx, "asynq:{q}:t:"+id, "cancelled", "1") // What Cancel does before it tells.
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		waitForState(t, rdb, "q", id, asynq.TaskStateArchived)
	})
}

func TestCancelReachesAJobThatIsJustStarting(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}, jobs.Timeout(soon), jobs.Concurrency(100), jobs.Retries(0))
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		client := jobs.NewClient(rdb)
		redistest.Eventually(t, soon, "the worker to listen", func() bool {
			return rdb.PubSubNumSub(ctx, "queuerun:wake:q").Val()["queuerun:wake:q"] > 0
		})
		for n := range 100 {
			id := must(t)(queue.Push(ctx, n))
			if err := client.Cancel(ctx, "q", id); err != nil {
				t.Fatal(err)
			}
			if info, err := client.Wait(ctx, "q", id); !errors.Is(err, jobs.ErrNotFound) && info.LastError != "the job was cancelled" {
				t.Fatalf("a job that was cancelled at once ended with %q, %v", info.LastError, err)
			}
		}
	})
}

func TestCancelReachesAHandlerThatKeepsTheWorkerFromStopping(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		started, causes := make(chan struct{}), make(chan error, 1)
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			close(started)
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return ctx.Err()
		})
		working, cancel := context.WithCancel(context.Background())
		w := &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, Logger: slog.New(slog.DiscardHandler), Drain: soon}
		result := make(chan error, 1)
		go func() { result <- w.Run(working) }()
		ctx := clientContext(rdb, handler)
		id := must(t)(queue.Push(ctx, 1))
		<-started
		cancel()
		redistest.Eventually(t, soon, "the worker to hear of it", func() bool {
			if err := jobs.NewClient(rdb).Cancel(ctx, "q", id); err != nil && !errors.Is(err, jobs.ErrEnded) {
				t.Error(err)
			}
			return len(causes) > 0
		})
		if cause := <-causes; !errors.Is(cause, jobs.ErrCancelled) {
			t.Errorf("cause %v, want ErrCancelled", cause)
		}
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestWithdrawTakesBackOnlyWhatHasNotBegun(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		queue := jobs.NewQueue[int]("q")
		started, release := make(chan struct{}), make(chan struct{})
		handler := queue.Handle(func(ctx context.Context, _ int) error {
			started <- struct{}{}
			<-release
			return ctx.Err()
		}, fast)
		startWorker(t, rdb, handler)
		ctx := clientContext(rdb, handler)
		client := jobs.NewClient(rdb)
		later := must(t)(queue.Push(ctx, 1, jobs.In(time.Hour)))
		if err := client.Withdraw(ctx, "q", later); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Get(ctx, "q", later); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("withdrawn, and Get returns %v", err)
		}
		if err := client.Withdraw(ctx, "q", later); !errors.Is(err, jobs.ErrNotFound) {
			t.Errorf("withdrawn twice: %v", err)
		}
		running := must(t)(queue.Push(ctx, 2, jobs.Retain(time.Hour)))
		<-started
		if err := client.Withdraw(ctx, "q", running); !errors.Is(err, jobs.ErrStarted) {
			t.Errorf("withdrew a job that runs: %v", err)
		}
		close(release)
		waitForState(t, rdb, "q", running, asynq.TaskStateCompleted)
		if err := client.Withdraw(ctx, "q", running); !errors.Is(err, jobs.ErrEnded) {
			t.Errorf("withdrew a job that has ended: %v", err)
		}
	})
}
