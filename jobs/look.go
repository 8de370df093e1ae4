package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// looker asks Redis for the jobs of one queue that may start. Only the queue's
// fetcher uses it.
type looker struct {
	rdb  redis.UniversalClient
	name string // of the queue, as asynq has it
	rate rate

	sawDue time.Time // when delayed jobs were seen to last
	number uint64    // of the last look
	unsure string    // the run that the last look may have begun without our hearing of it
}

// found is what a look brought.
type found struct {
	jobs    []*jobRun
	more    bool          // look again at once
	limited time.Duration // the rate allows no start before
	again   bool          // it was the question for an answer that was lost
	sawDue  bool          // delayed jobs were seen to
	due     time.Duration // until the next one may start, if so; zero when none is delayed
}

// errGone says that the worker was taken for dead.
var errGone = errors.New("the worker was taken for dead, its lease was over")

// dueEvery is how often a busy queue sees to its delayed jobs.
const dueEvery = 50 * time.Millisecond

// look starts up to most jobs in the name of the worker that has the lease. It
// sees to delayed jobs if that is asked for, or was not done for a while.
func (l *looker) look(ctx context.Context, worker string, most int, seeDue bool) (found, error) {
	run, again := l.unsure, "again"
	if run == "" || !ownedBy(run, worker) {
		l.number++
		run, again = worker+":"+strconv.FormatUint(l.number, 10), ""
	}
	due, now := "", time.Now()
	if seeDue || now.Sub(l.sawDue) > dueEvery {
		due, l.sawDue = "due", now
	}
	reply, err := runOnce(ctx, l.rdb, lookScript, l.name, []string{keyPrefix(l.name) + "pending"},
		worker, run, most, again, due, l.rate.n, l.rate.per.Milliseconds()).Slice()
	// Another error of Redis, that it is loading its data, say, tells nothing of
	// a look before this one whose reply was lost.
	if err == nil || redis.HasErrorPrefix(err, "GONE") {
		l.unsure = ""
	} else {
		l.unsure = run
	}
	if redis.HasErrorPrefix(err, "GONE") {
		return found{}, errGone
	}
	if err != nil {
		return found{}, fmt.Errorf("look for jobs: %w", err)
	}
	f, err := readFound(reply, worker, run)
	f.again = again != ""
	f.sawDue = due != "" && !f.again
	return f, err
}

// ownedBy reports whether a run was begun by the worker.
func ownedBy(run, worker string) bool {
	return len(run) > len(worker) && run[:len(worker)] == worker && run[len(worker)] == ':'
}

const foundFields = 5

func readFound(reply []any, worker, run string) (f found, err error) {
	if len(reply) < 3 || (len(reply)-3)%foundFields != 0 {
		return f, errors.New("look for jobs: unexpected reply of the script")
	}
	more, _ := reply[0].(int64)
	limited, _ := reply[1].(int64)
	due, _ := reply[2].(int64)
	f.more, f.limited, f.due = more == 1, time.Duration(limited)*time.Millisecond, time.Duration(due)*time.Millisecond
	for job := reply[3:]; len(job) > 0; job = job[foundFields:] {
		f.jobs = append(f.jobs, readRun(job, worker, run))
	}
	return f, nil
}

func readRun(reply []any, worker, run string) *jobRun {
	r := &jobRun{owner: run, worker: worker}
	r.jobID, _ = reply[0].(string)
	message, _ := reply[1].(string)
	starts, _ := reply[2].(int64)
	r.attempt = int(starts)
	r.group, _ = reply[3].(string)
	r.sequence, _ = reply[4].(int64)
	r.message.raw = []byte(message)
	return r
}
