package jobs

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// asynqTask has asynq store a task, and returns its key and asynq's encoding.
func asynqTask(t testing.TB, rdb *redis.Client) (id string, message []byte) {
	t.Helper()
	info, err := asynq.NewClientFromRedisClient(rdb).Enqueue(
		asynq.NewTaskWithHeaders("kind", []byte("payload"), map[string]string{"a": "b", "c": ""}),
		asynq.Queue("q"), asynq.MaxRetry(3), asynq.Timeout(time.Second), asynq.Deadline(time.Now()),
		asynq.Unique(time.Hour), asynq.Retention(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	message, err = rdb.HGet(context.Background(), taskKey("q", info.ID), "msg").Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return info.ID, message
}

func TestMessageIsReadAsAsynqWroteIt(t *testing.T) {
	_, raw := asynqTask(t, redistest.Embedded(t))
	m, err := parseMessage(raw)
	if err != nil {
		t.Fatal(err)
	}
	if m.kind != "kind" || string(m.payload) != "payload" || len(m.headers) != 2 || m.headers["a"] != "b" ||
		m.retention != 60 || m.uniqueKey == "" || m.retried != 0 || m.lastError != "" {
		t.Errorf("read %+v", m)
	}
}

func TestFailedMessageIsWhatAsynqReads(t *testing.T) {
	rdb := redistest.Embedded(t)
	id, raw := asynqTask(t, rdb)
	size := 0
	for charged := range 100 {
		m, err := parseMessage(raw)
		if err != nil {
			t.Fatal(err)
		}
		raw = m.failed(errors.New("bad \xff text"), charged, 1<<31-1)
		if size == 0 {
			size = len(raw)
		}
		rdb.HSet(context.Background(), taskKey("q", id), "msg", raw)
		got, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo("q", id)
		if err != nil {
			t.Fatal(err)
		}
		if got.Retried != charged || got.MaxRetry != 1<<31-1 || got.LastErr != "bad \uFFFD text" || got.LastFailedAt.IsZero() ||
			got.Type != "kind" || string(got.Payload) != "payload" || got.Retention != time.Minute || got.Headers["a"] != "b" {
			t.Fatalf("asynq reads %+v", got)
		}
	}
	if len(raw) > size+4 {
		t.Errorf("the message grew from %d to %d bytes", size, len(raw))
	}
}

func TestNewMessageIsWhatAsynqReads(t *testing.T) {
	rdb := redistest.Embedded(t)
	ctx := context.Background()
	rdb.SAdd(ctx, asynqQueues, "app:q")
	headers := map[string]string{"a": "b", "empty": "", "ü": "é"}
	rdb.HSet(ctx, taskKey("app:q", "1"), "state", "pending",
		"msg", newMessage("q", "app:q", "1", []byte("pay\x00load"), appendHeaders(nil, headers), time.Hour))
	got, err := asynq.NewInspectorFromRedisClient(rdb).GetTaskInfo("app:q", "1")
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != "q" || got.Queue != "app:q" || got.ID != "1" || string(got.Payload) != "pay\x00load" || !maps.Equal(got.Headers, headers) ||
		got.MaxRetry != 25 || got.Timeout != 5*time.Minute || !got.Deadline.IsZero() || got.Retention != time.Hour {
		t.Errorf("asynq reads %+v", got)
	}
}

func FuzzParseMessage(f *testing.F) {
	_, raw := asynqTask(f, redistest.Embedded(f))
	f.Add(raw)
	f.Add([]byte{})
	f.Add([]byte{0x7a, 0x02, 0x0a, 0x05})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseMessage(raw)
		if err != nil {
			return
		}
		again, err := parseMessage(m.failed(errors.New("x"), 7, 9))
		if err != nil {
			t.Fatal(err)
		}
		if again.retried != 7 || again.lastError != "x" || !bytes.Equal(again.payload, m.payload) || again.retention != m.retention {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}
