package jobs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
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
