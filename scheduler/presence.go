package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/queuerun/queuerun/jobs/redisstep"
)

const (
	// beatEvery is how often a Scheduler says that it is there, and with which
	// schedules.
	beatEvery = 3 * time.Second
	// leadFor is how long the others leave the pushing to one that does not say so
	// again; see followDelay.
	leadFor = 8 * time.Second
	// followDelay is how long those that do not lead give the one that does.
	followDelay = 200 * time.Millisecond
)

// presence tells Redis which schedules there are. One of the Schedulers leads:
// the others let it push first, and it keeps the dashboard's page and forgets what
// nobody declares any more. That saves work. Nothing goes wrong when two lead.
type presence struct {
	*Scheduler
	store
	id       string
	started  bool
	leading  bool
	beaten   time.Time
	plans    map[string]*plan
	absences absences
}

func newPresence(s *Scheduler, store store) *presence {
	host, _ := os.Hostname()
	return &presence{Scheduler: s, store: store, absences: absences{}, plans: map[string]*plan{},
		id: host + ":" + strconv.Itoa(os.Getpid()) + ":" + rand.Text()[:8]}
}

// announced reports whether Redis knows the schedules.
func (p *presence) announced() bool { return p.started }

// lost says that Redis knows them no more.
func (p *presence) lost() { p.started = false }

// leads reports whether this Scheduler leads, as far as it knows.
func (p *presence) leads() bool { return p.leading }

// announce makes the schedules known for the first time.
func (p *presence) announce(ctx context.Context, now time.Time) error {
	if err := p.declare(ctx, "start", now); err != nil {
		return err
	}
	p.started = true
	return nil
}

// beat does what is to be done now and then, when its time has come.
func (p *presence) beat(ctx context.Context, now time.Time) error {
	if p.untilBeat() > 0 {
		return nil
	}
	if err := p.declare(ctx, "", now); err != nil {
		return err
	}
	p.beaten = time.Now()
	if !p.leading {
		return nil
	}
	records, err := p.all(ctx)
	if err != nil {
		return err
	}
	if now, err = p.time(ctx); err != nil {
		return err
	}
	return errors.Join(p.publish(ctx, records, now), p.forget(ctx, records))
}

func (p *presence) untilBeat() time.Duration {
	if p.beaten.IsZero() {
		return 0
	}
	every := p.every
	if every == 0 {
		every = beatEvery
	}
	return every - time.Since(p.beaten)
}

func (p *presence) declare(ctx context.Context, how string, now time.Time) error {
	args := []any{p.scheduleKey(""), p.id, leadFor.Milliseconds(), how}
	for _, s := range p.Schedules {
		done := ""
		if plan := p.plans[s.name]; plan != nil && !plan.done.IsZero() {
			done = strconv.FormatInt(plan.done.Unix(), 10)
		}
		args = append(args, s.name, s.spec, s.overlap.String(), done, s.toldTicks(now))
	}
	reply, err := declareScript.Run(ctx, p.Redis, []string{p.namesKey(), p.leaderKey()}, args...).Int64Slice()
	if err != nil {
		return fmt.Errorf("declare the schedules: %w", redisstep.Explain(err))
	}
	p.leading = len(reply) > 0 && reply[0] == 1
	return nil
}

// leave lets another one lead.
func (p *presence) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := leaveScript.Run(ctx, p.Redis, []string{p.leaderKey()}, p.id).Err(); p.leading && err != nil {
		p.logger().Warn("scheduler: the others will notice a little later that this one has gone", "error", err)
	}
}
