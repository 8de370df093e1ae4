package scheduler

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/queuerun/queuerun/jobs"
)

// endTimeout is how long it may take to note how a run ended.
const endTimeout = 5 * time.Second

// runTick runs the function for a tick, unless it is to be skipped. The result is
// for people: why it was.
func (s Schedule) runTick(ctx context.Context, t tick) (result []byte, err error) {
	store, err := storeFrom(ctx)
	if err != nil {
		return nil, err
	}
	e := Ended{Run: Run{Name: t.Name, Cron: t.Cron, ID: t.id(), At: t.at()}, Began: time.Now()}
	if s.overlap == Skip {
		other, err := store.begin(ctx, e.Run)
		if err != nil {
			return nil, fmt.Errorf("schedule %q: look whether a run is going on: %w", s.name, err)
		}
		if other != "" {
			e.Result, e.Reason = Skipped, fmt.Sprintf("the run %s was going on", other)
			return []byte("skipped: " + e.Reason), store.end(ctx, e)
		}
	}
	err = errors.New("the function did not return") // It panicked, or ended its goroutine.
	defer func() {
		e.Result, e.Took = Succeeded, time.Since(e.Began)
		if err != nil {
			e.Result, e.Reason = Failed, shortened(err.Error())
		}
		_ = store.end(ctx, e) // The job itself says so as well, and others see there that it is over.
	}()
	err = s.call(ctx, e.Run)
	return nil, err
}

// call calls the function. As for any job, a run that passes its time-out has
// failed, whatever it returns.
func (s Schedule) call(ctx context.Context, run Run) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, jobs.ErrTimeout)
	defer cancel()
	err := s.run(context.WithValue(ctx, runKey{}, run))
	if ctx.Err() != nil && context.Cause(ctx) == jobs.ErrTimeout {
		return fmt.Errorf("schedule %q: %w", s.name, errors.Join(fmt.Errorf("%w (%v)", jobs.ErrTimeout, s.timeout), err))
	}
	if err != nil {
		return fmt.Errorf("schedule %q: %w", s.name, err)
	}
	return nil
}

// maxReason is how many bytes of an error are kept of the last run. The job has it
// as well.
const maxReason = 4096

func shortened(reason string) string {
	if len(reason) <= maxReason {
		return strings.ToValidUTF8(reason, "\uFFFD")
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}

// begin notes that a run is going on, or returns the id of the one that is.
func (s store) begin(ctx context.Context, run Run) (other string, err error) {
	return beginScript.Run(ctx, s.rdb, []string{s.runsKey()}, run.Name, run.ID, s.tasks()).Text()
}

// end notes how a run ended.
func (s store) end(ctx context.Context, e Ended) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	if err := endScript.Run(ctx, s.rdb, []string{s.runsKey(), s.lastKey()}, e.Run.Name, e.Run.ID, e.text()).Err(); err != nil {
		return fmt.Errorf("schedule %q: note how the run ended: %w", e.Run.Name, err)
	}
	return nil
}
