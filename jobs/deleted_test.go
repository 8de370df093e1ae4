package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A push that repeats a job which has ended is ignored for its time. One that
// repeats a job which was deleted is not: its id would be that of nothing.
func TestAPushIsRepeatedByWhatHasEndedAndNotByWhatWasDeleted(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		unique, group := jobs.NewQueue[string]("unique"), jobs.NewQueue[string]("group.fifo")
		fails := func(_ context.Context, what string) error {
			if what == "fails" {
				return jobs.Permanent(errors.New(what))
			}
			return nil
		}
		handlers := []jobs.Handler{unique.Handle(fails), group.Handle(fails)}
		ctx := clientContext(rdb, handlers...)
		client, err := jobs.ClientFrom(ctx)
		if err != nil {
			t.Fatal(err)
		}
		push := map[string]func(what string, options ...jobs.PushOption) string{
			"unique": func(what string, options ...jobs.PushOption) string {
				return must(t)(unique.Push(ctx, what, append(options, jobs.Unique(time.Hour))...))
			},
			"group.fifo": func(what string, options ...jobs.PushOption) string {
				return must(t)(group.Group("g").Push(ctx, what, options...))
			},
		}
		for queue, push := range push {
			deleted := push("deleted while it waits")
			if again := push("deleted while it waits"); again != deleted {
				t.Errorf("%s: a repetition has the id %q, want %q", queue, again, deleted)
			}
			if err := inspect(rdb).DeleteTask(queue, deleted); err != nil {
				t.Fatal(err)
			}
			if again := push("deleted while it waits"); again == deleted {
				t.Errorf("%s: what repeats a job that was deleted got its id", queue)
			}
			cancelled := push("cancelled")
			if err := client.Cancel(ctx, queue, cancelled); err != nil {
				t.Fatal(err)
			}
			if again := push("cancelled"); again == cancelled {
				t.Errorf("%s: what repeats a job that was cancelled got its id", queue)
			}
		}
		startWorker(t, rdb, handlers...)
		for queue, push := range push {
			forgotten := push("forgotten")
			waitUntilGone(t, rdb, queue, forgotten)
			if again := push("forgotten"); again != forgotten {
				t.Errorf("%s: what repeats a job that succeeded has the id %q, want %q", queue, again, forgotten)
			}
			kept := push("kept", jobs.Retain(time.Hour))
			waitForState(t, rdb, queue, kept, asynq.TaskStateCompleted)
			if err := inspect(rdb).DeleteTask(queue, kept); err != nil {
				t.Fatal(err)
			}
			if again := push("kept"); again != kept {
				t.Errorf("%s: what repeats a job that succeeded has the id %q, want %q", queue, again, kept)
			}
			failed := push("fails")
			waitForState(t, rdb, queue, failed, asynq.TaskStateArchived)
			if again := push("fails"); again != failed {
				t.Errorf("%s: what repeats a job that was given up has the id %q, want %q", queue, again, failed)
			}
			if err := inspect(rdb).DeleteTask(queue, failed); err != nil {
				t.Fatal(err)
			}
			if again := push("fails"); again == failed {
				t.Errorf("%s: what repeats a job that was given up and deleted got its id", queue)
			}
		}
	})
}
