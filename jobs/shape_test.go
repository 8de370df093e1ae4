package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// recorder notes the shapes of the scripts that asynq runs.
type recorder struct {
	redis.UniversalClient
	mu   sync.Mutex
	seen map[shape]int
	// others are the keys of unrecognised scripts that touch what is running.
	others []string
}

func (r *recorder) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	r.mu.Lock()
	r.seen[shapeOf(keys)]++
	if all := strings.Join(keys, " "); shapeOf(keys) == shapeOther && strings.Contains(all, ":active") {
		r.others = append(r.others, all)
	}
	r.mu.Unlock()
	return r.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

// TestEveryStepOfAsynqIsRecognised fails when a new version of asynq gives its
// scripts other keys, for then ours would not take their place.
func TestEveryStepOfAsynqIsRecognised(t *testing.T) {
	rdb := redistest.Embedded(t)
	r := &recorder{UniversalClient: rdb, seen: map[shape]int{}}
	server := asynq.NewServerFromRedisClient(r, asynq.Config{
		Queues: map[string]int{"a:b": 1}, Logger: asynqLogger{slog.New(slog.DiscardHandler)},
		TaskCheckInterval: time.Millisecond, DelayedTaskCheckInterval: time.Millisecond,
		ShutdownTimeout: time.Millisecond, RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 },
	})
	release := make(chan struct{})
	stuck := make(chan struct{})
	if err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		if task.Type() == "stuck" {
			close(stuck)
			<-release
		}
		if task.Type() == "fails" {
			return errors.New("as asked")
		}
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	client := asynq.NewClientFromRedisClient(r)
	for _, task := range []*asynq.Task{
		asynq.NewTask("fine", nil),
		asynq.NewTask("fine", nil, asynq.Retention(time.Minute)),
		asynq.NewTask("fine", nil, asynq.ProcessIn(time.Second)),
		asynq.NewTask("fails", nil, asynq.MaxRetry(0)),
		asynq.NewTask("fails", nil, asynq.MaxRetry(1)),
		asynq.NewTask("stuck", nil),
	} {
		if _, err := client.Enqueue(task, asynq.Queue("a:b")); err != nil {
			t.Fatal(err)
		}
	}
	<-stuck
	redistest.Eventually(t, 20*time.Second, "asynq to finish what can be", func() bool {
		info, err := asynq.NewInspectorFromRedisClient(rdb).GetQueueInfo("a:b")
		return err == nil && info.Processed == 6 && info.Failed == 3 && info.Active == 1
	})
	server.Shutdown() // It requeues the stuck one.
	close(release)
	r.mu.Lock()
	defer r.mu.Unlock()
	for want, times := range map[shape]int{shapeDequeue: 7, shapeFinish: 7, shapeExpired: 1} {
		if r.seen[want] < times {
			t.Errorf("shape %d was seen %d times, want at least %d", want, r.seen[want], times)
		}
	}
	if len(r.others) > 0 {
		t.Errorf("steps with these keys were not recognised: %q", r.others)
	}
}

func TestStepsOfOthersAreNotTakenForAsynqs(t *testing.T) {
	for _, keys := range [][]string{
		nil,
		{"pending"},
		{"asynq:{q}:t:1", "asynq:{q}:pending", "asynq:{q}:groups"}, // run by hand
		{"other:{q}:t:1", "other:{q}:pending"},
	} {
		if got := shapeOf(keys); got != shapeOther {
			t.Errorf("shapeOf(%q) = %d", keys, got)
		}
	}
}
