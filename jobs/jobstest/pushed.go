package jobstest

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/queuerun/queuerun/jobs"
)

// Job is a job that was pushed and has not run.
type Job[T any] struct {
	jobs.Info
	Payload T
}

// Pushed returns the jobs that a queue holds and that have not run, in the order
// in which they were pushed, and after them those that are delayed, the soonest
// first. Info.Job tells the group, the user and the Params.
func Pushed[T any](q *Queues, queue *jobs.Queue[T]) []Job[T] {
	q.t.Helper()
	var found []Job[T]
	for _, id := range q.waiting(queue.Name()) {
		info, err := q.client.Get(context.Background(), queue.Name(), id)
		if errors.Is(err, jobs.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			q.t.Fatal(err)
		}
		payload, err := queue.Decode(info.Payload)
		if err != nil {
			q.t.Fatal(err)
		}
		found = append(found, Job[T]{info, payload})
	}
	slices.SortStableFunc(found, func(a, b Job[T]) int {
		return cmp.Compare(a.Info.Job.Sequence, b.Info.Job.Sequence)
	})
	return found
}

// waiting returns the ids of the jobs in line and then those of the delayed.
func (q *Queues) waiting(queue string) []string {
	q.t.Helper()
	ctx, prefix := context.Background(), "asynq:{"+queue+"}:"
	ids, err := q.rdb.LRange(ctx, prefix+"pending", 0, -1).Result()
	if err != nil {
		q.t.Fatal(err)
	}
	slices.Reverse(ids) // Jobs join on the left.
	for _, set := range []string{"due", "scheduled"} {
		delayed, err := q.rdb.ZRange(ctx, prefix+set, 0, -1).Result()
		if err != nil {
			q.t.Fatal(err)
		}
		for _, id := range delayed {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}
