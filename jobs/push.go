package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

const (
	// A trip to Redis takes at most so many jobs, or so many bytes of them: it
	// is one step, for the time of which Redis does nothing else.
	tripJobs  = 200
	tripBytes = 1 << 20
)

// newJob is a job that is to be pushed.
type newJob struct {
	id      string
	message []byte // asynq's encoding of its task
	dedupe  string // hash, or ""
	place   place
}

// place is where in a queue a job goes, and when.
type place struct {
	group    string
	when     string // "", "in" or "at"
	ms       int64  // of that
	remember int64  // ms for which its dedupe id is taken
	line     string // see Ascending
	number   int64
}

func (p place) args() []any { return []any{p.group, p.when, p.ms, p.remember, p.line, p.number} }

// push checks and encodes everything before it pushes the first payload.
func (q *Queue[T]) push(ctx context.Context, to target, payloads []T, options []PushOption) ([]string, error) {
	ids, err := q.pushAll(ctx, to, payloads, applyPushOptions(options))
	if err != nil {
		return ids, fmt.Errorf("push to queue %q: %w", q.name, redisstep.Explain(err))
	}
	return ids, nil
}

func (q *Queue[T]) pushAll(ctx context.Context, to target, payloads []T, o pushOptions) ([]string, error) {
	if err := checkPush(q.name, to, o, len(payloads)); err != nil {
		return nil, err
	}
	encoded := make([][]byte, len(payloads))
	for i, payload := range payloads {
		var err error
		if encoded[i], err = encode(payload); err != nil {
			return nil, fmt.Errorf("encode the payload: %w", err)
		}
	}
	client, err := ClientFrom(ctx)
	if err != nil {
		return nil, err
	}
	if err := client.checkKnown(ctx, q.name); err != nil {
		return nil, err
	}
	newJobs, err := client.newJobs(ctx, q.name, to, encoded, o)
	if err != nil {
		return nil, err
	}
	return client.store(ctx, q.name, newJobs, false)
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
	case fifo && o.timed:
		return ErrFIFODelay
	case !fifo && to.grouped:
		return ErrNotFIFO
	case fifo && o.serial != "":
		return fmt.Errorf("Serial(%q): a FIFO queue has groups for that", o.serial)
	case o.serial != "" && o.timed:
		return fmt.Errorf("Serial(%q): %w", o.serial, ErrFIFODelay)
	case o.line != "" && count > 1:
		return fmt.Errorf("Ascending(%q, %d) numbers one job, and %d are pushed", o.line, o.number, count)
	case to.deduped && count > 1:
		return fmt.Errorf("Dedupe(%q) names one job, and %d are pushed", to.dedupe, count)
	case to.deduped && to.dedupe == "":
		return errors.New("the dedupe id is empty")
	}
	return nil
}

// newJobs makes a task of each payload.
func (c *Client) newJobs(ctx context.Context, queue string, to target, payloads [][]byte, o pushOptions) ([]newJob, error) {
	asynqQueue := asynqQueueName(c.Prefix, queue)
	if o.serial != "" {
		to.group = o.serial
	}
	headers := makeHeaders(ctx, to.group, time.Now(), o)
	if err := checkText(o.id, headers); err != nil {
		return nil, err
	}
	if err := checkBounds(payloads, headers, o); err != nil {
		return nil, err
	}
	encodedHeaders := appendHeaders(nil, headers)
	all := make([]newJob, len(payloads))
	for i, payload := range payloads {
		id := o.id
		if !o.idSet {
			id = rand.Text()
		}
		all[i] = newJob{
			id:      id,
			message: newMessage(queue, asynqQueue, id, payload, encodedHeaders, o.retain),
			dedupe:  dedupeHash(to, payload, o),
			place:   o.place(to),
		}
	}
	return all, nil
}

// store takes the jobs to Redis and returns the ids of what is in the queue
// now: for a job that repeats another, that one's. Where a job is in the way it
// goes on if told so, with "" for its id; else it returns ErrDuplicate, and the
// last id is that of the job in the way.
func (c *Client) store(ctx context.Context, queue string, all []newJob, goOn bool) ([]string, error) {
	if err := c.list(ctx, asynqQueueName(c.Prefix, queue)); err != nil {
		return nil, err
	}
	ids := make([]string, 0, len(all))
	lane := c.lanes.take()
	defer c.lanes.give(lane)
	for len(all) > 0 {
		n := trip(all)
		stored, err := c.storeTrip(ctx, asynqQueueName(c.Prefix, queue), lane, all[:n])
		if err != nil {
			return ids, err
		}
		for i, id := range stored {
			if id == "" && !goOn {
				return append(ids, all[i].id), fmt.Errorf("id %q: %w", all[i].id, ErrDuplicate)
			}
			ids = append(ids, id)
		}
		all = all[n:]
	}
	return ids, nil
}

// trip is how many of the jobs go to Redis in one step.
func trip(all []newJob) int {
	size := 0
	for i, job := range all {
		if size += len(job.message); i > 0 && size > tripBytes || i == tripJobs {
			return i
		}
	}
	return len(all)
}

func (c *Client) storeTrip(ctx context.Context, asynqQueue string, lane int, some []newJob) ([]string, error) {
	all, each := some[0].place, ""
	if slices.ContainsFunc(some, func(job newJob) bool { return job.place != all }) {
		each = "each"
	}
	args := append([]any{rand.Text(), "", each}, all.args()...)
	for _, job := range some {
		args = append(args, job.id, job.message, job.dedupe)
		if each != "" {
			args = append(args, job.place.args()...)
		}
	}
	ids, err := c.runPush(ctx, asynqQueue, c.lanes.key(asynqQueue, lane), args)
	if err == nil && len(ids) != len(some) {
		err = errors.New("unexpected reply of the push script")
	}
	return ids, err
}

// pushBackoff is the pause before each repetition of a push.
var pushBackoff = []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond, 320 * time.Millisecond}

// runPush repeats a push whose reply was lost, and says that it does: so the
// script only has to look for the first try when there was one.
func (c *Client) runPush(ctx context.Context, asynqQueue, lane string, args []any) ([]string, error) {
	for _, wait := range pushBackoff {
		ids, err := runOnce(ctx, c.rdb, pushScript, asynqQueue, []string{lane}, args...).StringSlice()
		switch {
		case err == nil, ctx.Err() != nil, redisstep.Answered(err) && !redisstep.Passing(err):
			return ids, err
		case !redisstep.Answered(err):
			args[1] = "again"
		}
		pause(ctx, wait, nil)
	}
	return runOnce(ctx, c.rdb, pushScript, asynqQueue, []string{lane}, args...).StringSlice()
}

func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
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
