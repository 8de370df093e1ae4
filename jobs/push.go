package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hibiken/asynq"
)

// push checks and encodes everything before it pushes the first payload.
func (q *Queue[T]) push(ctx context.Context, to target, payloads []T, options []PushOption) ([]string, error) {
	o := applyPushOptions(options)
	if err := checkPush(q.name, to, o, len(payloads)); err != nil {
		return nil, fmt.Errorf("push to queue %q: %w", q.name, err)
	}
	encoded := make([][]byte, len(payloads))
	for i, payload := range payloads {
		var err error
		if encoded[i], err = encode(q.name, payload); err != nil {
			return nil, err
		}
	}
	client, err := clientFrom(ctx)
	if err == nil {
		err = client.checkKnown(ctx, q.name)
	}
	if err != nil {
		return nil, fmt.Errorf("push to queue %q: %w", q.name, err)
	}
	ids := make([]string, 0, len(encoded))
	for _, data := range encoded {
		id, err := client.pushOne(ctx, q.name, to, data, o)
		if id != "" {
			ids = append(ids, id)
		}
		if err != nil {
			return ids, fmt.Errorf("push to queue %q: %w", q.name, err)
		}
	}
	return ids, nil
}

func checkPush(queue string, to target, o pushOptions, count int) error {
	switch fifo := isFIFO(queue); {
	case o.err != nil:
		return o.err
	case o.idSet && count > 1:
		return fmt.Errorf("ID(%q) names one job, and %d are pushed", o.id, count)
	case fifo && !to.grouped:
		return ErrNoGroup
	case fifo && to.group == "":
		return fmt.Errorf("the group's id is empty: %w", ErrNoGroup)
	case fifo && !o.at.IsZero():
		return ErrFIFODelay
	case !fifo && to.grouped:
		return ErrNotFIFO
	case to.deduped && to.dedupe == "":
		return errors.New("the dedupe id is empty")
	}
	return nil
}

// pushOne has asynq encode the task and pushStore store it. The id is empty
// when the job was not stored, and that of the job in the way with
// ErrDuplicate.
func (c *Client) pushOne(ctx context.Context, queue string, to target, data []byte, o pushOptions) (string, error) {
	id := o.id
	if id == "" {
		id = rand.Text()
	}
	asynqQueue := asynqQueueName(c.Prefix, queue)
	lane := c.lanes.take()
	defer c.lanes.give(lane)
	step := &pushStep{
		queue: asynqQueue,
		token: rand.Text(),
		lane:  c.lanes.key(asynqQueue, lane),
		group: to.group,
	}
	if to.grouped {
		step.dedupe = dedupeKey(asynqQueue, to, data, o)
	}
	headers := makeHeaders(ctx, to.group, time.Now(), o.params)
	if err := checkText(id, headers); err != nil {
		return "", err
	}
	_, err := c.asynq.EnqueueContext(context.WithValue(ctx, pushStepKey{}, step),
		asynq.NewTaskWithHeaders(queue, data, headers), asynqOptions(asynqQueue, id, o)...)
	// asynq makes texts of the errors it passes on; these are the original ones.
	switch {
	case step.err != nil:
		return "", step.err
	case step.conflict && !o.idSet:
		return id, nil // Nobody else makes this id: the push was repeated.
	case step.conflict:
		return id, fmt.Errorf("id %q: %w", id, ErrDuplicate)
	case err != nil:
		return "", err
	}
	return step.id, nil
}

// checkText refuses what asynq's encoding, and a dashboard, cannot hold.
func checkText(id string, headers map[string]string) error {
	if !utf8.ValidString(id) {
		return fmt.Errorf("the id %q is not valid UTF-8", id)
	}
	for name, value := range headers {
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			what := strings.TrimPrefix(name, headerStart)
			return fmt.Errorf("the job's %s %q is not valid UTF-8", what, value)
		}
	}
	return nil
}

func asynqOptions(asynqQueue, id string, o pushOptions) []asynq.Option {
	options := []asynq.Option{
		asynq.Queue(asynqQueue),
		asynq.TaskID(id),
		// The worker decides on retries and time-out. These are for the
		// dashboard, and for workers that use asynq alone.
		asynq.MaxRetry(defaultRetries(asynqQueue)),
		asynq.Timeout(defaultTimeout),
		asynq.Retention(o.retain),
	}
	if o.at.After(time.Now()) {
		// Asynq cuts times to the second, which would start the job early.
		options = append(options, asynq.ProcessAt(ceilTime(o.at)))
	}
	return options
}

func ceilTime(t time.Time) time.Time {
	if cut := t.Truncate(time.Second); cut.Before(t) {
		return cut.Add(time.Second)
	}
	return t
}
