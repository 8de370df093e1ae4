package scheduler

import (
	"context"
	"fmt"
	"time"
)

const (
	// forgetAfter is for how long no program may have declared a schedule before
	// what is known of it is deleted: longer than a deploy takes, and its rollback.
	forgetAfter = time.Hour
	// forgetLooks is how often that has to be seen. After a machine was suspended
	// all have been silent for long, and need a moment to speak.
	forgetLooks = 10
)

// absences are the schedules that nobody has declared lately, by name.
type absences map[string]*absence

type absence struct {
	declared time.Time // the last time
	since    time.Time // when this was seen first, by the clock of this process
	looks    int
}

// note notes what a look shows, and reports whether the schedule has been absent
// for long enough, all of it before the eyes of this process. Before, everybody may
// have been away.
func (a absences) note(r record, now time.Time) bool {
	seen := a[r.name]
	if seen == nil || !seen.declared.Equal(r.declared) {
		a[r.name] = &absence{declared: r.declared, since: now}
		return false
	}
	seen.looks++
	return seen.looks >= forgetLooks && now.Sub(seen.since) >= forgetAfter
}

// forget deletes what is known of schedules that no program has any more.
func (p *presence) forget(ctx context.Context, records []record) error {
	for _, r := range records {
		// Redis' clock may be set forward. What counts is how long this process has waited.
		if !p.absences.note(r, p.localTime()) {
			continue
		}
		declared := r.declared.UnixMilli()
		keys := []string{p.scheduleKey(r.name), p.namesKey(), p.runsKey(), p.lastKey()}
		gone, err := forgetScript.Run(ctx, p.Redis, keys, r.name, declared).Int()
		if err != nil {
			return fmt.Errorf("forget schedule %q: %w", r.name, err)
		}
		delete(p.absences, r.name)
		if gone == 0 {
			continue
		}
		p.logger().Info("scheduler: no program has this schedule any more, it is forgotten", "schedule", r.name)
		if err := p.client.ForgetLines(ctx, QueueName, r.name); err != nil {
			return err
		}
		if err := p.rdb.Del(ctx, p.historyKey(p.entryID(r.name))).Err(); err != nil {
			return fmt.Errorf("forget when schedule %q was pushed: %w", r.name, err)
		}
	}
	return nil
}
