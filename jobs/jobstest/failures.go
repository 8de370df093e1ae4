package jobstest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/guard"
)

// failures are how handlers failed.
type failures struct {
	mu   sync.Mutex
	errs []error
}

// failure is that of one job. Its text is read when the handler has returned,
// since the error's own methods may panic.
type failure struct {
	text string
	errs []error
}

func (f failure) Error() string   { return f.text }
func (f failure) Unwrap() []error { return f.errs }

var errEnded = errors.New("the handler ended its goroutine instead of returning")

// note is middleware that keeps how a handler failed.
func (f *failures) note(next func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		err = errEnded
		defer func() {
			if x := recover(); x != nil {
				err = errors.New("the handler panicked: " + guard.Text(x))
			}
			f.add(ctx, err)
		}()
		return next(ctx)
	}
}

func (f *failures) add(ctx context.Context, err error) {
	var failed failure
	if errors.Is(context.Cause(ctx), jobs.ErrTimeout) {
		failed.errs = append(failed.errs, jobs.ErrTimeout)
	}
	if err != nil {
		failed.errs = append(failed.errs, err)
	}
	if len(failed.errs) == 0 {
		return
	}
	job, _ := jobs.FromContext(ctx)
	failed.text = fmt.Sprintf("queue %q: job %q", job.Queue, job.ID)
	for _, err := range failed.errs {
		failed.text += ": " + guard.Text(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, failed)
}

func (f *failures) err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.errs...)
}
