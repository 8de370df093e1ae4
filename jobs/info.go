package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// State is where a job is. The names are asynq's, which the dashboard shows.
type State string

const (
	Pending   State = "pending"   // in line
	Active    State = "active"    // running
	Scheduled State = "scheduled" // delayed, or behind another job of its group
	Retrying  State = "retry"     // failed, and to be tried again
	Archived  State = "archived"  // given up
	Completed State = "completed" // succeeded and kept
)

// Ended reports whether the job has succeeded or was given up.
func (s State) Ended() bool { return s == Completed || s == Archived }

// Info is what is known of a job.
type Info struct {
	Job   Job
	State State
	// Payload is what was pushed, as it is stored; Queue.Decode reads it.
	Payload []byte
	// Due is when a delayed or failed job is to start, in milliseconds. It is
	// zero for others, and for a job that waits behind another of its group.
	Due time.Time
	// Failed counts the failures that were charged, which Retries limits.
	Failed int
	// Progress is the last one that the handler gave, as it is stored; nil
	// without.
	Progress []byte
	// Result is that of a handler made with HandleResult, as it is stored; nil
	// without.
	Result []byte
	// LastError is why the job failed last, "" when it has not.
	LastError string
}

// MarshalJSON makes of it what a page can use: progress and result appear as
// JSON when they are JSON, else as strings.
func (i Info) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID       string          `json:"id"`
		Queue    string          `json:"queue"`
		Group    string          `json:"group,omitempty"`
		State    State           `json:"state"`
		Attempt  int             `json:"attempt"`
		Progress json.RawMessage `json:"progress,omitempty"`
		Result   json.RawMessage `json:"result,omitempty"`
		Error    string          `json:"error,omitempty"`
	}{i.Job.ID, i.Job.Queue, i.Job.Group, i.State, i.Job.Attempt, rawJSON(i.Progress), rawJSON(i.Result), i.LastError})
}

func rawJSON(data []byte) json.RawMessage {
	if len(data) == 0 || json.Valid(data) {
		return data
	}
	text, _ := json.Marshal(string(data)) // A string always is JSON.
	return text
}

// Get returns what is known of a job: of a queue's name as given to NewQueue,
// and an id that Push returned. It returns ErrNotFound when the queue has no
// such job, which is so after it succeeded unless Retain or HandleResult keep
// it.
func (c *Client) Get(ctx context.Context, queue, id string) (Info, error) {
	info, err := c.get(ctx, queue, id)
	if err != nil {
		return info, fmt.Errorf("get job %q of queue %q: %w", id, queue, err)
	}
	return info, nil
}

var infoFields = []string{"msg", "state", "starts", "fifo_group", "fifo_seq", "progress", "result"}

func (c *Client) get(ctx context.Context, queue, id string) (Info, error) {
	if err := c.ready(); err != nil {
		return Info{}, err
	}
	name := asynqQueueName(c.Prefix, queue)
	pipe := c.rdb.Pipeline()
	task, due := pipe.HMGet(ctx, taskKey(name, id), infoFields...), pipe.ZScore(ctx, keyPrefix(name)+"due", id)
	_, _ = pipe.Exec(ctx) // Each has its own error; the second has one for most jobs.
	values, err := task.Result()
	if err != nil {
		return Info{}, err
	}
	info, err := readInfo(queue, id, values)
	if ms := due.Val(); ms > 0 && (info.State == Scheduled || info.State == Retrying) {
		info.Due = time.UnixMilli(int64(ms))
	}
	return info, err
}

// readInfo makes an Info of the values of infoFields.
func readInfo(queue, id string, values []any) (Info, error) {
	text := func(i int) string { s, _ := values[i].(string); return s }
	if values[0] == nil || values[1] == nil {
		return Info{}, ErrNotFound
	}
	message, err := parseMessage([]byte(text(0)))
	if err != nil {
		return Info{}, err
	}
	info := Info{
		Job:       Job{ID: id, Queue: queue},
		State:     State(text(1)),
		Payload:   message.payload,
		Failed:    message.retried,
		LastError: message.lastError,
		Progress:  bytesOf(text(5)),
		Result:    bytesOf(text(6)),
	}
	if info.State == Completed {
		info.LastError = "" // It was an earlier run's.
	}
	if err := readHeaders(&info.Job, message.headers); err != nil {
		return info, err
	}
	info.Job.Attempt, _ = strconv.Atoi(text(2))
	info.Job.Group = text(3)
	info.Job.Sequence, _ = strconv.ParseInt(text(4), 10, 64)
	return info, nil
}

// bytesOf is nil for what is not there.
func bytesOf(s string) []byte {
	if s == "" {
		return nil
	}
	return []byte(s)
}
