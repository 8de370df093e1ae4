package scheduler

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// A process may be stopped between its decision to push a tick and the push, for
// so long that the tick was run and forgotten meanwhile.
func TestTickInTheHandsOfAStalledSchedulerIsNotPushedAgain(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		t.Parallel()
		schedule := New("pulse", "every second", nothing)
		client := jobs.NewClient(rdb)
		client.Handles = []jobs.Handler{Handler([]Schedule{schedule})}
		s := &Scheduler{Redis: rdb, Jobs: client, Schedules: []Schedule{schedule}, Logger: slog.New(slog.DiscardHandler)}
		stalled, other := newRounds(s), newRounds(s)
		ctx := client.Context(t.Context())
		push := func(r *rounds, unix int64) {
			t.Helper()
			if err := r.push(ctx, schedule.items([]time.Time{time.Unix(unix, 0)}), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		push(other, 100)
		push(other, 101)
		rdb.Del(ctx, "asynq:{schedules}:pending", "asynq:{schedules}:t:pulse:100", "asynq:{schedules}:t:pulse:101")
		push(stalled, 100)
		push(stalled, 102)
		push(other, 102)
		if got := rdb.LRange(ctx, "asynq:{schedules}:pending", 0, -1).Val(); !slices.Equal(got, []string{"pulse:102"}) {
			t.Errorf("pushed were %q", got)
		}
	})
}
