package jobs_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// NotifyUser hears of the ends that no handler has seen: of a job that was deleted
// while it waited, and of one that recovery has given up.
func TestNotifyUserHearsOfEndsThatNoHandlerHasSeen(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		queue := jobs.NewQueue[act]("acts")
		handler := queue.Handle(func(context.Context, act) error { return errors.New("not to be run") })
		var updates journal[jobs.Info]
		tell := func(ctx context.Context, update jobs.Info) error {
			if user := jobs.UserID(ctx); user != "ada" {
				t.Errorf("the current user is %q", user)
			}
			updates.add(update)
			return nil
		}
		client := jobs.NewClient(rdb)
		client.Handles, client.OnUpdate = []jobs.Handler{handler}, tell
		ctx := jobs.WithUserID(client.Context(context.Background()), "ada")

		cancelled := must(t)(queue.Push(ctx, act{}, jobs.NotifyUser(), jobs.In(time.Hour)))
		silent := must(t)(queue.Push(ctx, act{}, jobs.In(time.Hour)))
		for _, id := range []string{cancelled, silent} {
			if err := client.Cancel(context.Background(), "acts", id); err != nil {
				t.Fatal(err)
			}
		}
		if got := updates.all(); len(got) != 1 || got[0].Job.ID != cancelled || got[0].State != jobs.Archived ||
			got[0].LastError != jobs.ErrCancelled.Error() {
			t.Fatalf("after Cancel the updates are %+v", got)
		}

		// A job that has taken four workers with it takes a fifth one.
		poison := must(t)(queue.Push(ctx, act{Line: "poison", Kills: true}, jobs.NotifyUser()))
		rdb.HSet(ctx, "asynq:{acts}:t:"+poison, "recoveries", 4)
		victim := startWorkerProcess(t, rdb, "victim", 0)
		_ = victim.ended() // It is killed by its job.
		runWorker(t, &jobs.Worker{Redis: rdb, Handlers: []jobs.Handler{handler}, OnUpdate: tell})
		redistest.Eventually(t, 2*takeOver, "the user to be told", func() bool { return len(updates.all()) == 2 })
		info, err := client.Get(ctx, "acts", poison)
		if err != nil || info.State != jobs.Archived {
			t.Fatalf("the job is %+v, %v", info, err)
		}
		if told := updates.all()[1]; told.Job.ID != poison || told.State != jobs.Archived || told.LastError != info.LastError ||
			told.Job.UserID != "ada" || told.Job.Attempt != 1 {
			t.Errorf("the user was told of %+v", told)
		}
	})
}
