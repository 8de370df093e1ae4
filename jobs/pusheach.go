package jobs

import (
	"context"
	"fmt"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

// Item is one job of PushEach: a payload with options of its own.
type Item[T any] struct {
	Payload T
	Options []PushOption
}

// PushEach pushes jobs that have options of their own, in order, by the hundred
// in each trip to Redis. All are checked before the first is pushed. It returns
// their ids in the same order, with "" for those that Push would refuse with
// ErrDuplicate; these keep none of the others back. (When a reply of Redis was lost,
// such a job may have its id all the same.) When Redis fails in the middle it
// returns the ids of those before, with the error.
func (q *Queue[T]) PushEach(ctx context.Context, items []Item[T]) ([]string, error) {
	ids, err := q.pushEach(ctx, items)
	if err != nil {
		return ids, fmt.Errorf("push to queue %q: %w", q.name, redisstep.Explain(err))
	}
	return ids, nil
}

func (q *Queue[T]) pushEach(ctx context.Context, items []Item[T]) ([]string, error) {
	client, err := ClientFrom(ctx)
	if err != nil {
		return nil, err
	}
	if err := client.checkKnown(ctx, q.name); err != nil {
		return nil, err
	}
	all := make([]newJob, len(items))
	for i, item := range items {
		o := applyPushOptions(item.Options)
		if err := checkPush(q.name, target{}, o, 1); err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		payload, err := encode(item.Payload)
		if err != nil {
			return nil, fmt.Errorf("item %d: encode the payload: %w", i, err)
		}
		made, err := client.newJobs(ctx, q.name, target{}, [][]byte{payload}, o)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		all[i] = made[0]
	}
	return client.store(ctx, q.name, all, true)
}
