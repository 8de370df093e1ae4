package jobs

import (
	"context"
	"fmt"
	"time"
)

const (
	// sweeperTime is for how long a worker is the one that sees to a queue, unless
	// it says so again.
	sweeperTime = 3 * tidyEvery
	// sweepTrip is how many groups are looked at in one step.
	sweepTrip = 100
	// sweepEach is how many groups are looked at each time although nothing says
	// that there is something to do: what that costs does not grow with their number.
	sweepEach = 500
	// sweepPause is how long all groups are not looked at for a first job that seems
	// to be missing, when none was found missing the last time.
	sweepPause = time.Minute
)

// sweeper repairs what was done to a queue past our scripts, which keep it right
// by themselves: what an operator deletes, archives or runs in the dashboard, and
// what foreign workers leave. Of all workers of the queue one does it.
type sweeper struct {
	fetcher *fetcher
	cursor  uint64    // how far the groups were looked at
	rested  time.Time // until when a first job that is missing is no reason to look at all
	orphans orphans
}

// tend sees to the groups, if this worker is the one, and seldom to jobs that run
// under no lease.
func (s *sweeper) tend(ctx context.Context, seldom bool) error {
	f := s.fetcher
	for {
		reply, err := runScript(ctx, f.run.rdb, tendScript, f.name, []string{s.key()}, f.run.id, sweeperTime.Milliseconds()).Slice()
		if err != nil {
			return fmt.Errorf("see to the groups: %w", err)
		}
		if len(reply) < 3 {
			s.orphans.suspects = nil
			return nil // Another worker does it.
		}
		if unsettled := reply[3:]; len(unsettled) > 0 {
			if _, err := s.settle(ctx, unsettled); err != nil {
				return err
			}
			continue // There may be more of them, or more to do for these.
		}
		if reply[1] != int64(0) {
			if err := s.sweep(ctx, reply[2] == int64(1)); err != nil {
				return err
			}
		}
		if !seldom {
			return nil
		}
		if err := s.orphans.check(ctx); err != nil {
			return err
		}
		return adoptJobs(ctx, f)
	}
}

func (s *sweeper) key() string { return keyPrefix(s.fetcher.name) + "fifo-groups" }

// sweep looks at groups: all of them when first jobs seem to be missing, else the
// next few.
func (s *sweeper) sweep(ctx context.Context, missing bool) error {
	all := missing && time.Now().After(s.rested)
	if all {
		s.cursor = 0
	}
	settled := 0
	for looked := 0; all || looked < sweepEach; {
		groups, next, err := s.fetcher.run.rdb.SScan(ctx, s.key(), s.cursor, "", sweepTrip).Result()
		if err != nil {
			return fmt.Errorf("list the groups: %w", err)
		}
		n, err := s.settle(ctx, anys(groups))
		if err != nil {
			return err
		}
		looked, settled, s.cursor = looked+len(groups), settled+n, next
		if next == 0 {
			break
		}
	}
	if all && settled == 0 {
		s.rested = time.Now().Add(sweepPause)
	}
	return nil
}

// settle lets the first job of each group run, and returns in how many groups that
// was needed.
func (s *sweeper) settle(ctx context.Context, groups []any) (settled int, err error) {
	for len(groups) > 0 {
		some := groups[:min(sweepTrip, len(groups))]
		groups = groups[len(some):]
		f := s.fetcher
		n, err := runScript(ctx, f.run.rdb, sweepScript, f.name, []string{s.key()}, some...).Int()
		if err != nil {
			return settled, fmt.Errorf("settle the groups: %w", err)
		}
		settled += n
	}
	return settled, nil
}

func anys(texts []string) []any {
	all := make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	return all
}
