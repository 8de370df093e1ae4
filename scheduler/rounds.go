package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redisstep"
)

// rounds is the state of a running Scheduler.
type rounds struct {
	*Scheduler
	store
	presence *presence
	jobs     *jobs.Queue[tick]
	plans    []*plan // of the schedules that have ticks
	last     clock   // the reading before
}

// plan is what this Scheduler intends with one schedule.
type plan struct {
	Schedule
	done   time.Time // ticks up to this one have been seen to
	start  time.Time // when the next one is to be pushed; zero: to be found out, or none is left
	over   bool      // none is left
	fault  error     // of a program's own schedule, which has not been told yet
	warned time.Time // the cursor ahead of Redis' clock that was told of
}

func newRounds(s *Scheduler) *rounds {
	r := &rounds{Scheduler: s, store: storeOf(s.Jobs), jobs: newQueue()}
	r.presence = newPresence(s, r.store)
	for _, schedule := range s.Schedules {
		if schedule.ticks != nil {
			p := &plan{Schedule: schedule}
			r.plans = append(r.plans, p)
			r.presence.plans[p.name] = p
		}
	}
	return r
}

// round does what is to be done now, and returns the time until there is more.
// Ticks that could not be pushed stay due.
func (r *rounds) round(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	clock, err := r.readClock(ctx)
	if err != nil {
		return 0, err
	}
	r.watch(clock)
	if !r.presence.announced() { // The ticks are those after this.
		if err := r.presence.announce(ctx, clock.redis); err != nil {
			return 0, err
		}
	}
	// A later reading of this clock could be ahead of Redis' own if the machine's
	// clock runs fast, so what is due was due when Redis answered.
	if due := r.due(clock.redis); len(due) > 0 {
		err = r.see(ctx, due, clock.redis)
	}
	// A Redis that is full refuses ticks, but that the schedules are there it notes.
	if err := errors.Join(err, r.presence.beat(ctx, clock.redis)); err != nil {
		return 0, err
	}
	return r.untilNext(clock), nil
}

// due returns the plans whose next tick has come, by all that is known here.
func (r *rounds) due(now time.Time) []*plan {
	var due []*plan
	for _, p := range r.plans {
		if !p.over && !p.start.After(now) {
			due = append(due, p)
		}
	}
	return due
}

// see looks what is really to be pushed of the plans, and pushes it. Others may
// have done so before.
func (r *rounds) see(ctx context.Context, due []*plan, now time.Time) error {
	// All can do it, but one is enough.
	if !r.presence.leads() && !sleep(ctx, followDelay) {
		return ctx.Err()
	}
	names := make([]string, len(due))
	for i, p := range due {
		names[i] = p.name
	}
	records, err := r.read(ctx, names)
	if err != nil {
		return err
	}
	var push []jobs.Item[tick]
	var leftOut []*plan
	for i, p := range due {
		if err := r.goBack(ctx, p, &records[i], now); err != nil {
			return err
		}
		ticks, dropped, err := r.look(p, records[i], now)
		if err != nil {
			return err
		}
		if dropped {
			leftOut = append(leftOut, p)
		}
		if dropped && len(ticks) > 0 {
			if err := r.skip(ctx, p.name, p.after(records[i]), ticks[0]); err != nil {
				return err
			}
		}
		push = append(push, p.items(ticks)...)
	}
	if len(push) > 0 {
		if err := r.push(ctx, push, now); err != nil {
			return err
		}
	}
	for _, p := range leftOut {
		r.logger().Warn("scheduler: missed ticks are left out", "schedule", p.name, "policy", p.catchUp.String(), "until", now)
	}
	for i, p := range due {
		p.settle(records[i], now)
		if p.fault != nil {
			r.logger().Error("scheduler: the schedule fails, it is asked again later", "schedule", p.name, "error", p.fault, "in", ownDelay)
			p.fault = nil
		}
	}
	return nil
}

// look returns the ticks of a schedule that are to be pushed now, and whether
// missed ones are left out.
func (r *rounds) look(p *plan, known record, now time.Time) (ticks []time.Time, dropped bool, err error) {
	if !known.known { // Redis has lost it. It was there when this Scheduler began.
		r.presence.lost()
		return nil, false, fmt.Errorf("schedule %q is not known to Redis any more", p.name)
	}
	if !known.paused.IsZero() {
		return nil, false, nil
	}
	ticks, dropped = p.due(p.after(known), now)
	ahead := known.ahead.after(p.after(known))
	if len(ahead) > 0 {
		dropped = false // Some of them are not missed, but were pushed before their time.
	}
	return slices.DeleteFunc(ticks, ahead.has), dropped, nil
}

// after is the time after which ticks are to be pushed. Redis may know less than
// this process does, when it went back to an older state; but not if its clock did.
func (p *plan) after(known record) time.Time {
	after := known.cursor
	// What a newer program has begun does not end what this one goes on with.
	mine := known.of == "" || known.of == p.spec || p.done.IsZero()
	if mine && known.from.After(after) {
		after = known.from
	}
	if len(known.ahead.after(known.cursor)) == 0 && p.done.After(after) {
		after = p.done
	}
	return after
}

// settle notes that the ticks up to now have been seen to.
func (p *plan) settle(known record, now time.Time) {
	p.done = p.after(known)
	if newest := p.newest(now); newest.After(p.done) {
		p.done = newest
	}
	if next := p.ticks.next(p.done); next.IsZero() {
		p.over = true
		if own, ok := p.ticks.(ownTicks); ok {
			p.askAgain(own, now)
		}
	} else {
		p.over, p.start = false, p.Schedule.start(next)
	}
}

// askAgain tells whether a program's own schedule has ended, or fails.
func (p *plan) askAgain(own ownTicks, now time.Time) {
	if _, err := own.ask(p.done); err != nil {
		p.over, p.start, p.fault = false, now.Add(ownDelay), err
	}
}

// push makes jobs of the ticks, all together.
func (r *rounds) push(ctx context.Context, items []jobs.Item[tick], now time.Time) error {
	ids, err := r.jobs.PushEach(ctx, items)
	if err != nil {
		return fmt.Errorf("push ticks: %w", redisstep.Explain(err))
	}
	var pushed []tick
	for i, id := range ids {
		if id != "" {
			pushed = append(pushed, items[i].Payload)
		}
	}
	r.presence.record(ctx, pushed, now)
	return nil
}

// items are the jobs of ticks that are pushed together. If there are several,
// because some were missed, they must not skip one another.
func (s Schedule) items(ticks []time.Time) []jobs.Item[tick] {
	serial := s.overlap == Queue || s.overlap == Skip && len(ticks) > 1
	items := make([]jobs.Item[tick], len(ticks))
	for i, at := range ticks {
		t := tick{Name: s.name, Cron: s.spec, Unix: at.Unix()}
		items[i] = jobs.Item[tick]{Payload: t, Options: append(t.options(serial, s.interval), jobs.Ascending(s.name, t.Unix))}
	}
	return items
}

// untilNext returns the time until there is something to do.
func (r *rounds) untilNext(c clock) time.Duration {
	now := c.now()
	wait := r.presence.untilBeat()
	for _, p := range r.plans {
		if !p.over {
			wait = min(wait, p.start.Sub(now))
		}
	}
	// Redis' clock is read in microseconds; a timer that ends within the same one as
	// the tick must not make the next round find nothing due, again and again.
	return max(wait, time.Millisecond)
}
