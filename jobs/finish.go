package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

var finishScripts = map[shape]*redis.Script{
	shapeDone:     doneScript,
	shapeComplete: completeScript,
	shapeRetry:    retryScript,
	shapeArchive:  archiveScript,
	shapeRequeue:  requeueScript,
}

// jobIDOf finds the job's id: all of asynq's steps that end a run have it first.
func jobIDOf(args []any) string {
	id, _ := args[0].(string)
	return id
}

// finish takes the place of asynq's steps that end a run. It releases nothing
// before the handler has returned, and does not give up while Redis is away:
// asynq's own retry reuses a context that is cancelled by then.
func (s *workStore) finish(ctx context.Context, shape shape, keys []string, args []any) *redis.Cmd {
	id := jobIDOf(args)
	run := s.runs.get(id)
	if _, processing := ctx.Deadline(); !processing {
		return s.recover(ctx, shape, keys, args, run)
	}
	if run == nil {
		return failedCmd(ctx, fmt.Errorf("job %q is not running here", id))
	}
	if err := s.waitForReturn(shape, run); err != nil {
		return failedCmd(ctx, fmt.Errorf("job %q: %w", id, err))
	}
	if run.giveBack && (shape == shapeRetry || shape == shapeArchive) {
		prefix := keyPrefix(s.server.name)
		shape, keys, args = shapeRequeue, []string{prefix + "active", prefix + "lease", prefix + "pending", prefix + "t:" + id}, []any{id}
	}
	kept, err := s.persist(shape, keys, append(args[:len(args):len(args)], run.id))
	s.runs.remove(id, run)
	if err != nil {
		return failedCmd(ctx, err)
	}
	if !kept {
		s.server.log.Warn("the job was taken over meanwhile, its outcome here is dropped", "job", id, "attempt", run.attempt)
	}
	return valueCmd(ctx, "OK")
}

// recover ends a run whose lease has expired. Asynq asks for it without a
// deadline, on behalf of any worker.
func (s *workStore) recover(ctx context.Context, shape shape, keys []string, args []any, run *jobRun) *redis.Cmd {
	if run != nil && !run.hasReturned() {
		return failedCmd(ctx, fmt.Errorf("job %q still runs here", jobIDOf(args)))
	}
	return runScript(ctx, s.UniversalClient, finishScripts[shape], s.server.name, keys,
		append(args[:len(args):len(args)], "")...)
}

// waitForReturn waits for the handler, which asynq does not do when a job is
// cancelled in the dashboard.
func (s *workStore) waitForReturn(shape shape, run *jobRun) error {
	if shape == shapeRequeue && !run.hasReturned() {
		// Asynq does not wait any longer for its server to stop. Putting the
		// job back would run it beside the handler that still has it.
		return errors.New("its handler has not returned")
	}
	select {
	case <-run.returned:
		return nil
	case <-s.server.run.phase.over.Done():
		return errors.New("its handler has not returned")
	}
}

// persist writes the outcome of a run, as often as it takes: the scripts see
// when it is there already. An error that Redis itself replies with is not
// repeated for longer than a minute, the time after which another worker may
// take the job.
func (s *workStore) persist(shape shape, keys []string, args []any) (kept bool, err error) {
	ctx := s.server.run.phase.over
	pause := 50 * time.Millisecond
	for began := time.Now(); ; pause = min(2*pause, time.Second) {
		var n int
		n, err = runScript(ctx, s.UniversalClient, finishScripts[shape], s.server.name, keys, args...).Int()
		if err == nil {
			return n == 1, nil
		}
		if replied := redis.Error(nil); errors.As(err, &replied) && time.Since(began) > time.Minute {
			return false, err
		}
		s.server.log.Warn("could not write the outcome of a job, trying again", "job", jobIDOf(args), "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false, err
		}
	}
}
