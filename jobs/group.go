package jobs

import "context"

// Group is one line of jobs in a FIFO queue, made by Queue.Group. Its jobs run
// one at a time in push order, and a failing job holds the group back until it
// succeeds or is given up. Groups run side by side.
type Group[T any] struct {
	queue *Queue[T]
	to    target
}

// Dedupe returns the group with an id for what is pushed next: a second push
// of the same id to the group within 5 minutes is ignored. Without it, the id
// is a hash of the payload. The id is one job's: PushMany of more is refused.
func (g Group[T]) Dedupe(id string) Group[T] {
	g.to.dedupe, g.to.deduped = id, true
	return g
}

// Push puts a job at the end of the group and returns its id, or the id of the
// first job when this one repeats it (see Dedupe). Errors are as for
// Queue.Push; In and At are refused with ErrFIFODelay. A job with an ID of its
// own is told apart by that, not by its payload.
func (g Group[T]) Push(ctx context.Context, payload T, options ...PushOption) (id string, err error) {
	ids, err := g.queue.push(ctx, g.to, []T{payload}, options)
	return first(ids), err
}

// PushMany puts jobs at the end of the group in the order of their payloads, as
// Queue.PushMany does, with no other job of the group between those of one
// trip to Redis, which takes at least a hundred.
func (g Group[T]) PushMany(ctx context.Context, payloads []T, options ...PushOption) ([]string, error) {
	return g.queue.push(ctx, g.to, payloads, options)
}

// target is where in a queue a push goes.
type target struct {
	group   string
	grouped bool // Group was called
	dedupe  string
	deduped bool // Dedupe was called
}
