package jobs

import (
	"context"
	"errors"
	"log/slog"
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
	seen map[shape]bool
}

func (r *recorder) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	r.mu.Lock()
	r.seen[shapeOf(keys)] = true
	r.mu.Unlock()
	return r.UniversalClient.EvalSha(ctx, sha, keys, args...)
}

func (r *recorder) has(s shape) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[s]
}

// TestEveryStepOfAsynqIsRecognised fails when a new version of asynq gives its
// scripts other keys, for then ours would not take their place.
func TestEveryStepOfAsynqIsRecognised(t *testing.T) {
	rdb := redistest.Embedded(t)
	r := &recorder{UniversalClient: rdb, seen: map[shape]bool{}}
	server := asynq.NewServerFromRedisClient(r, asynq.Config{
		Queues: map[string]int{"a:b": 1}, Logger: asynqLogger{slog.New(slog.DiscardHandler)},
		TaskCheckInterval: time.Millisecond, DelayedTaskCheckInterval: time.Millisecond,
		ShutdownTimeout: time.Millisecond,
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
	for _, want := range []shape{shapeEnqueue, shapeSchedule, shapeDequeue, shapeDone, shapeComplete, shapeRetry, shapeArchive, shapeForward} {
		redistest.Eventually(t, 20*time.Second, "asynq's step", func() bool { return r.has(want) })
	}
	<-stuck
	server.Shutdown()
	close(release)
	if !r.has(shapeRequeue) {
		t.Error("the requeue of a stopping server was not recognised")
	}
}

func TestStepsOfOthersAreNotTakenForAsynqs(t *testing.T) {
	for _, keys := range [][]string{
		nil,
		{"pending"},
		{"asynq:{q}:t:1", "asynq:{q}:pending", "asynq:{q}:groups"}, // run by hand
		{"asynq:{q}:lease"},
		{"other:{q}:t:1", "other:{q}:pending"},
	} {
		if got := shapeOf(keys); got != shapeOther {
			t.Errorf("shapeOf(%q) = %d", keys, got)
		}
	}
}

func TestOverriddenFieldsAreWhatAsynqReads(t *testing.T) {
	rdb := redistest.Embedded(t)
	ctx := context.Background()
	info, err := asynq.NewClientFromRedisClient(rdb).Enqueue(asynq.NewTask("q", []byte("payload")), asynq.Queue("q"),
		asynq.MaxRetry(3), asynq.Timeout(time.Second), asynq.Deadline(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	key := keyPrefix("q") + "t:" + info.ID
	message, err := rdb.HGet(ctx, key, "msg").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, retries := range []int{0, 7, 1<<31 - 1} {
		if err := rdb.HSet(ctx, key, "msg", overrideMessage(message, retries)).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo("q", info.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got.MaxRetry != retries || got.Timeout != asynqTimeout || !got.Deadline.IsZero() || string(got.Payload) != "payload" {
			t.Errorf("asynq reads %+v, want %d retries, a time-out of %v and no deadline", got, retries, asynqTimeout)
		}
	}
}
