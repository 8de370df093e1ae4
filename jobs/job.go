package jobs

import "time"

// Job describes the job that a handler is running. FromContext returns it.
type Job struct {
	// ID names the job in its queue; Push returned it.
	ID string
	// Queue is the name given to NewQueue.
	Queue string
	// Group is the FIFO group the job belongs to, or "" in a standard queue.
	Group string
	// UserID is the user who was current when the job was pushed, or "".
	UserID string
	// Sequence numbers the jobs of a FIFO queue in the order in which they were
	// pushed, starting at 1: a later job of a group has a larger number, not
	// always the next one. It is 0 in a standard queue.
	Sequence int64
	// Attempt counts the times this job was started, this one included.
	Attempt int
	// QueuedAt is when the job was pushed, by the pusher's clock.
	QueuedAt time.Time
	// Params are the values given with Param, or taken from the path and the
	// query of the HTTP request that pushed the job. It may be nil.
	Params map[string]string
}
