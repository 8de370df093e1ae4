package jobs

import (
	"errors"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

// The errors that errors.Is finds in what this package returns.
var (
	// ErrNoClient: the context of a push carries no client. Handlers' contexts
	// do; elsewhere, Client.Context makes one that does.
	ErrNoClient = errors.New("the context carries no jobs client")
	// ErrNoJob: the context is not that of a job's handler.
	ErrNoJob = errors.New("the context is not that of a job's handler")
	// ErrUnknownQueue: neither this program nor any worker of this Redis has
	// ever handled the queue, so nothing would run the job.
	ErrUnknownQueue = errors.New("no worker has ever handled this queue")
	// ErrNoGroup: a push to a FIFO queue needs a group.
	ErrNoGroup = errors.New("a FIFO queue needs a group")
	// ErrNotFIFO: only FIFO queues have groups.
	ErrNotFIFO = errors.New("a group needs a FIFO queue, whose name ends in .fifo")
	// ErrFIFODelay: In and At would break the order of a FIFO queue.
	ErrFIFODelay = errors.New("a job of a FIFO queue cannot be delayed")
	// ErrDuplicate: another job has the id given with ID, or the line of Ascending
	// has come as far. Push returns the id along with it.
	ErrDuplicate = errors.New("the queue has, or had, this job")
	// ErrNotFound: the queue has no job with the id.
	ErrNotFound = errors.New("no such job")
	// ErrStarted: the job cannot be withdrawn, a worker has started it.
	ErrStarted = errors.New("the job has been started")
	// ErrEnded: the job has succeeded or was given up.
	ErrEnded = errors.New("the job has ended")
	// ErrFull: Redis has reached its maxmemory and refuses what needs more of it.
	// Nothing was pushed by the trip that it refused. Jobs are worked off all the same.
	ErrFull = redisstep.ErrFull
)

// The causes, for context.Cause, of the cancellation of a handler's context.
var (
	// ErrTimeout: the handler ran for longer than its time-out.
	ErrTimeout = errors.New("the job's time-out passed")
	// ErrStopping: the worker had waited long enough to stop.
	ErrStopping = errors.New("the worker is stopping")
	// ErrCancelled: the job was cancelled, with Client.Cancel or in the
	// dashboard.
	ErrCancelled = errors.New("the job was cancelled")
	// ErrLeaseLost: the worker could not renew its lease in time, and another
	// one may have taken the job over. What the handler returns is dropped then.
	ErrLeaseLost = errors.New("the worker's lease was over")
)

// errPoison is why a job is given up that nobody has seen failing.
var errPoison = fmt.Errorf("given up: %d workers died while they ran the job", mostRecoveries)

// finalError is a failure that another try cannot mend, so the job is given up
// at once.
type finalError struct{ err error }

func (e finalError) Error() string { return e.err.Error() }
func (e finalError) Unwrap() error { return e.err }

// Permanent returns the error as one that another try would not mend: a handler
// that returns it gives its job up, whatever retries are left. A nil error
// stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return finalError{err}
}

// retryError is a failure that says when to try again.
type retryError struct {
	err  error
	wait time.Duration
}

func (e retryError) Error() string { return e.err.Error() }
func (e retryError) Unwrap() error { return e.err }

// RetryIn returns the error as one after which the job is tried again in d, at
// once for zero and less, instead of when Backoff says: for a service that says
// when it will be there again. It is charged like any failure. In a FIFO queue d
// is at most a minute, elsewhere 36,500 days; what is longer is cut to that. It
// is rounded up to whole milliseconds. A nil error stays nil.
func RetryIn(err error, d time.Duration) error {
	if err == nil {
		return nil
	}
	return retryError{err, max(0, d)}
}
