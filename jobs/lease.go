package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
	"github.com/redis/go-redis/v9"
)

const (
	// leaseTime is how long a worker that does not answer keeps its jobs.
	leaseTime = 10 * time.Second
	// beatEvery is how often a worker renews its lease and looks for the dead.
	beatEvery = 2 * time.Second
	// mostRecoveries is how many workers a job may take with it.
	mostRecoveries = 5
)

// lease is what a worker process has on all jobs that it runs. While it is
// renewed they are the worker's. When it is over, any worker that handles their
// queues puts them back in line, and whatever the old one still has to say of
// them is refused. A worker that finds its lease lost goes on under a new one.
type lease struct {
	rdb    redis.UniversalClient
	prefix string
	queues []string // as asynq has them
	log    *slog.Logger
	// dropped is called when a lease was lost. It reports whether no handler is
	// at work under it any more.
	dropped func(worker string) (ended bool)
	// gaveUp is called with jobs of a queue that have taken too many workers with
	// them.
	gaveUp func(queue string, jobs []*jobRun)

	// Only the beat uses these: when it last reached Redis, what the clock there
	// showed, and until when it takes nobody for dead, since they may have been as
	// unable to reach it or to renew their leases.
	reached, sparing time.Time
	clock            redisClock

	// clockWentBack says that jobs may have been delayed for too long.
	clockWentBack atomic.Bool

	mu    sync.Mutex
	id    string          // the worker's name as long as it has this lease
	old   map[string]bool // leases that this process has lost
	ended bool            // no other lease is to be taken
}

// worker returns the name under which jobs are started now, or "" when none may
// be, because the lease was lost and there is no new one yet.
func (l *lease) worker() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id
}

// take begins a new lease.
func (l *lease) take(ctx context.Context) error {
	l.mu.Lock()
	ended := l.ended
	l.mu.Unlock()
	if ended {
		return nil
	}
	id := rand.Text()
	if _, err := l.beatOnce(ctx, id, "register"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.id = id
	}
	return nil
}

// lost says that the lease of a worker of this process is over.
func (l *lease) lost(worker string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if worker != l.id {
		return
	}
	l.id = ""
	if l.old == nil {
		l.old = map[string]bool{}
	}
	l.old[worker] = true
	l.log.Warn("the worker's lease was over, and its jobs may be run by others", "worker", worker)
	l.dropped(worker)
}

// run renews the lease until ctx ends.
func (l *lease) run(ctx context.Context) {
	renewing := redisstep.Outage{Log: l.log, What: "renewing the worker's lease"}
	every(ctx, beatEvery, func() {
		if err := l.beat(ctx); ctx.Err() == nil {
			renewing.Note(err)
		}
	})
}

func (l *lease) beat(ctx context.Context) error {
	l.mu.Lock()
	worker, ended := l.id, l.ended
	l.mu.Unlock()
	if ended {
		return nil
	}
	if worker == "" {
		return l.take(ctx)
	}
	buried, err := l.beatOnce(ctx, worker, "")
	if errors.Is(err, errGone) {
		l.lost(worker)
		return l.take(ctx)
	}
	if err != nil {
		return err
	}
	return l.buryAll(ctx, buried)
}

// buryAll puts the jobs of the dead back in line, as far as there is time before
// the next beat. The order is any, so that one queue that cannot be recovered
// keeps no other back.
func (l *lease) buryAll(ctx context.Context, all []dead) error {
	until := time.Now().Add(beatEvery)
	mathrand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var errs []error
	for _, d := range all {
		if time.Now().After(until) {
			break
		}
		errs = append(errs, l.bury(ctx, d, until))
	}
	return errors.Join(errs...)
}

// dead is a worker whose jobs in a queue are to be put back in line.
type dead struct{ worker, queue string }

// beatOnce renews or registers a lease and returns the dead.
func (l *lease) beatOnce(ctx context.Context, worker, how string) ([]dead, error) {
	asked := time.Now()
	if !l.reached.IsZero() && asked.Sub(l.reached) > leaseTime/2 {
		l.sparing = asked.Add(leaseTime)
	}
	spare := ""
	if asked.Before(l.sparing) {
		spare = "spare"
	}
	least, most := l.clock.bounds(asked)
	args := []any{leaseTime.Milliseconds(), how, spare, least, most, worker}
	for _, queue := range l.queues {
		args = append(args, queue)
	}
	keys := []string{workersKey(l.prefix, "live"), deadKey(l.prefix, "")}
	reply, err := beatScript.Run(ctx, l.rdb, keys, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("renew the worker's lease: %w", err)
	}
	l.reached = time.Now()
	if held, _ := reply[0].(int64); held == 0 {
		return nil, errGone
	}
	if len(reply)%2 != 0 {
		return nil, errors.New("renew the worker's lease: unexpected reply of the script")
	}
	shown, _ := reply[1].(int64)
	l.noteClock(l.clock.read(shown, asked, l.reached))
	return readDead(reply[2:]), nil
}

// noteClock sees to a step of Redis' clock. All leases seem to be over after one
// ahead, so their owners are given the time to renew them.
func (l *lease) noteClock(step time.Duration) {
	if step == 0 {
		return
	}
	l.log.Warn("the clock of Redis was put forward or back", "by", step)
	l.sparing = l.reached.Add(leaseTime)
	if step < 0 {
		l.clockWentBack.Store(true)
	}
}

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

// release ends the lease at once, and for good. A worker that leaves jobs behind
// does not call it: they are recovered when the lease is over.
func (l *lease) release(ctx context.Context) error {
	l.mu.Lock()
	worker := l.id
	l.id, l.ended = "", true
	l.mu.Unlock()
	if worker == "" {
		return nil
	}
	members := make([]any, len(l.queues))
	for i, queue := range l.queues {
		members[i] = worker + " " + queue
	}
	if err := l.rdb.ZRem(ctx, workersKey(l.prefix, "live"), members...).Err(); err != nil {
		return fmt.Errorf("end the worker's lease: %w", err)
	}
	return nil
}
