package scheduler

import (
	"context"
	"fmt"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

// step is by how much Redis' clock may differ from the time that has passed here
// before that is told: a machine may be busy.
const step = 5 * time.Second

// watch compares how far Redis' clock has come with the time that has passed here.
// A clock that went back has this Scheduler look at all schedules again. One that went
// forward may as well be that of a machine that slept, so what is due then is due.
func (r *rounds) watch(c clock) {
	last := r.last
	r.last = c
	if last.redis.IsZero() {
		return
	}
	by := c.redis.Sub(last.redis) - c.local.Sub(last.local)
	switch {
	case by > step:
		r.logger().Warn("scheduler: Redis' clock was set forward, or this machine was asleep", "by", by, "now", c.redis)
	case by < -step:
		r.logger().Warn("scheduler: Redis' clock was set back", "by", -by, "now", c.redis)
	}
	if !c.redis.Before(last.redis) {
		return
	}
	for _, p := range r.plans {
		p.start, p.over = time.Time{}, false
		// Redis knows what was pushed. That a Scheduler remembers it as well is for a Redis that
		// lost some, and whose clock may be a little behind that of the one before.
		if p.done.After(c.redis.Add(onTime)) {
			p.done = time.Time{}
		}
	}
}

// goBack takes a schedule back whose cursor is ahead of Redis' clock, which it is
// only if that was set back. No tick is pushed twice, and those that were left out as
// missed while the clock was wrong are pushed when their time comes.
func (r *rounds) goBack(ctx context.Context, p *plan, known *record, now time.Time) error {
	if !known.known || !known.cursor.After(now) {
		return nil
	}
	back, err := goBackScript.Run(ctx, r.rdb, []string{r.scheduleKey(p.name), r.client.LinesKey(QueueName)}, p.name).Int()
	if err != nil {
		return fmt.Errorf("take schedule %q back to the time of Redis: %w", p.name, redisstep.Explain(err))
	}
	if !p.warned.Equal(known.cursor) {
		p.warned = known.cursor
		r.logger().Warn("scheduler: ticks were pushed before their time, when Redis' clock was ahead; they are not pushed again",
			"schedule", p.name, "last", known.cursor, "now", now)
	}
	if back == 0 {
		return nil // All of them were pushed.
	}
	records, err := r.read(ctx, []string{p.name})
	if err == nil {
		*known = records[0]
	}
	return err
}

// skip notes that the ticks between two are left out, before the later one is pushed.
func (r *rounds) skip(ctx context.Context, name string, after, before time.Time) error {
	if err := skipScript.Run(ctx, r.rdb, []string{r.scheduleKey(name)}, after.Unix(), before.Unix()).Err(); err != nil {
		return fmt.Errorf("note which ticks of schedule %q are left out: %w", name, redisstep.Explain(err))
	}
	return nil
}
