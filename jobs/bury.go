package jobs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// dead is a worker whose jobs in a queue are to be put back in line.
type dead struct{ worker, queue string }

func readDead(words []any) []dead {
	all := make([]dead, 0, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		var d dead
		d.worker, _ = words[i].(string)
		d.queue, _ = words[i+1].(string)
		all = append(all, d)
	}
	return all
}

// buryAll puts the jobs of the dead back in line, as far as there is time before
// the next beat. The order is any, so that one queue that cannot be recovered
// keeps no other back.
func (l *lease) buryAll(ctx context.Context, all []dead) error {
	until := time.Now().Add(beatEvery)
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var errs []error
	for _, d := range all {
		if time.Now().After(until) {
			break
		}
		errs = append(errs, l.bury(ctx, d, until))
	}
	return errors.Join(errs...)
}

// bury puts the jobs of a dead worker in one of this worker's queues back in
// line. If there is no time for all of them, the worker is still among the dead.
func (l *lease) bury(ctx context.Context, d dead, until time.Time) error {
	if !l.mayBury(d.worker) {
		return nil
	}
	back, givenUp, err := l.recover(ctx, d, until)
	if back > 0 || len(givenUp) > 0 {
		l.log.Warn("recovered the jobs of a worker that died", "queue", d.queue, "worker", d.worker,
			"jobs", back, "given up", len(givenUp))
	}
	if len(givenUp) > 0 {
		l.gaveUp(d.queue, givenUp)
	}
	if err == errLate {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recover the jobs of worker %q in queue %q: %w", d.worker, d.queue, err)
	}
	if err := l.rdb.ZRem(ctx, deadKey(l.prefix, d.queue), d.worker).Err(); err != nil {
		return fmt.Errorf("forget the dead worker %q: %w", d.worker, err)
	}
	return nil
}

// errLate: the lease is to be renewed before more is done.
var errLate = errors.New("there was no time for all of it")

// recoverTrip is how many running jobs are looked at in one step.
const recoverTrip = 500

// recover looks through the jobs of a queue that run. They are looked through
// once more where that takes several steps: jobs that end in between move others
// past the place where the next step begins. What is missed twice is an orphan. It
// returns errLate when there is more to do after until.
func (l *lease) recover(ctx context.Context, d dead, until time.Time) (back int64, givenUp []*jobRun, err error) {
	for range 2 {
		looked := int64(0)
		for from := int64(0); ; {
			reply, err := runScript(ctx, l.rdb, recoverScript, d.queue, []string{keyPrefix(d.queue) + "active"}, d.worker, mostRecoveries,
				failure(errPoison).append(nil), failure(ErrCancelled).append(nil), from, recoverTrip).Slice()
			if err != nil {
				return back, givenUp, err
			}
			if len(reply)%foundFields != 2 {
				return back, givenUp, errors.New("unexpected reply of the script")
			}
			seen, _ := reply[0].(int64)
			put, _ := reply[1].(int64)
			ended := reply[2:]
			for job := ended; len(job) > 0; job = job[foundFields:] {
				givenUp = append(givenUp, readRun(job, d.worker, ""))
			}
			looked, back = looked+seen, back+put
			if seen < recoverTrip {
				break
			}
			if time.Now().After(until) {
				return back, givenUp, errLate
			}
			from += seen - put - int64(len(ended)/foundFields)
		}
		if looked < recoverTrip {
			break // It was one step.
		}
	}
	return back, givenUp, nil
}

// mayBury reports whether no handler of this process is at work under a lease
// of its own that it has lost: the job would run beside itself.
func (l *lease) mayBury(worker string) bool {
	l.mu.Lock()
	mine := l.old[worker]
	l.mu.Unlock()
	return !mine || l.dropped(worker)
}
