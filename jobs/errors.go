package jobs

import (
	"errors"

	"github.com/hibiken/asynq"
)

// The errors that errors.Is finds in what this package returns.
var (
	// ErrNoClient: the context of a push carries no client. Handlers' contexts
	// do; elsewhere, Client.Context makes one that does.
	ErrNoClient = errors.New("the context carries no jobs client")
	// ErrUnknownQueue: neither this program nor any worker of this Redis has
	// ever handled the queue, so nothing would run the job.
	ErrUnknownQueue = errors.New("no worker has ever handled this queue")
	// ErrNoGroup: a push to a FIFO queue needs a group.
	ErrNoGroup = errors.New("a FIFO queue needs a group")
	// ErrNotFIFO: only FIFO queues have groups.
	ErrNotFIFO = errors.New("a group needs a FIFO queue, whose name ends in .fifo")
	// ErrFIFODelay: In and At would break the order of a FIFO queue.
	ErrFIFODelay = errors.New("a job of a FIFO queue cannot be delayed")
	// ErrDuplicate: another job has the id given with ID. Push returns the id
	// along with it.
	ErrDuplicate = errors.New("the queue has a job with this id")
	// ErrTimeout is the cause of the cancellation of a handler that ran for
	// longer than its time-out.
	ErrTimeout = errors.New("the job's time-out passed")
	// ErrStopping is the cause of the cancellation of a handler that was still
	// running when the worker had waited long enough to stop.
	ErrStopping = errors.New("the worker is stopping")
)

// finalError is a failure that another try cannot mend, so the job is given up
// at once.
type finalError struct{ err error }

func (e finalError) Error() string   { return e.err.Error() }
func (e finalError) Unwrap() []error { return []error{e.err, asynq.SkipRetry} }
