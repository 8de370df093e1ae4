package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
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

	// Only the beat uses these: when it last reached Redis, and until when it
	// takes nobody for dead, since they may have been as unable to reach it.
	reached, sparing time.Time

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
	every(ctx, beatEvery, func() {
		if err := l.beat(ctx); err != nil && ctx.Err() == nil {
			l.log.Warn("could not renew the worker's lease", "error", err)
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
	dead, err := l.beatOnce(ctx, worker, "")
	if errors.Is(err, errGone) {
		l.lost(worker)
		return l.take(ctx)
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, member := range dead {
		err := l.bury(ctx, member)
		errs = append(errs, err)
		if err != nil && !redisstep.Answered(err) {
			break // Redis is away, and the next beat must not wait.
		}
	}
	return errors.Join(errs...)
}

// beatOnce renews or registers a lease and returns the dead.
func (l *lease) beatOnce(ctx context.Context, worker, how string) (dead []string, err error) {
	now := time.Now()
	if !l.reached.IsZero() && now.Sub(l.reached) > leaseTime/2 {
		l.sparing = now.Add(leaseTime)
	}
	spare := ""
	if now.Before(l.sparing) {
		spare = "spare"
	}
	args := []any{leaseTime.Milliseconds(), how, spare}
	for _, queue := range l.queues {
		args = append(args, worker+" "+queue)
	}
	keys := []string{workersKey(l.prefix, "live"), workersKey(l.prefix, "dead")}
	reply, err := beatScript.Run(ctx, l.rdb, keys, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("renew the worker's lease: %w", err)
	}
	l.reached = time.Now()
	if held, _ := reply[0].(int64); held == 0 {
		return nil, errGone
	}
	for _, member := range reply[1:] {
		if s, ok := member.(string); ok {
			dead = append(dead, s)
		}
	}
	return dead, nil
}

// bury puts the jobs of a dead worker in one of this worker's queues back in
// line.
func (l *lease) bury(ctx context.Context, member string) error {
	worker, queue, _ := strings.Cut(member, " ")
	if !l.handles(queue) || !l.mayBury(worker) {
		return nil
	}
	counts, err := runScript(ctx, l.rdb, recoverScript, queue, []string{keyPrefix(queue) + "active"},
		worker, mostRecoveries, failure(errPoison).append(nil), failure(ErrCancelled).append(nil)).Int64Slice()
	if err != nil {
		return fmt.Errorf("recover the jobs of worker %q in queue %q: %w", worker, queue, err)
	}
	if len(counts) == 2 && counts[0]+counts[1] > 0 {
		l.log.Warn("recovered the jobs of a worker that died", "queue", queue, "worker", worker,
			"jobs", counts[0], "given up", counts[1])
	}
	if err := l.rdb.ZRem(ctx, workersKey(l.prefix, "dead"), member).Err(); err != nil {
		return fmt.Errorf("forget the dead worker %q: %w", worker, err)
	}
	return nil
}

func (l *lease) handles(queue string) bool { return slices.Contains(l.queues, queue) }

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
