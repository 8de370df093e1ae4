package scheduler

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs/guard"
	"github.com/robfig/cron/v3"
)

// On is New for times that no spec tells, and for schedules that a program has made
// with github.com/robfig/cron: Next returns the first tick after its argument, or the
// zero time when there is none. It must depend on nothing but its argument, be the same
// in every process, and return soon; many goroutines may call it. It is asked in UTC
// and in whole seconds. What it returns is rounded up to those.
//
// The schedule's spec, which lists and logs show and by which a change of the schedule
// is noticed, is what its method String returns, 1 to 1024 bytes of one line. Without
// one it is the name of its type with a sum of its first 100 ticks from the year 2000.
// A cron.ConstantDelaySchedule, as cron.Every makes it, is the same as "@every" with its
// delay: counted from 1970, so that it does not depend on when a process was started.
//
// A Next that panics, or that has no order, is an error of the schedule when On tries
// it, and is logged later; then it is asked again after a minute.
func On(name string, schedule cron.Schedule, run func(context.Context) error, opts ...Option) Schedule {
	if every, ok := schedule.(cron.ConstantDelaySchedule); ok {
		return New(name, "@every "+every.Delay.String(), run, opts...)
	}
	s := Schedule{name: name, run: run, timeout: maxTimeout, catchUp: latestWithinInterval, overlap: Skip}
	own := ownTicks{schedule}
	switch first, err := own.try(); {
	case checkName(name) != nil:
		s.fail(checkName(name))
	case err != nil:
		s.fail(err)
	case run == nil:
		s.fail(errors.New("its function is nil"))
	default:
		if s.spec, err = own.spec(first); err != nil {
			s.fail(err)
		}
		s.ticks, s.interval = own, shortestInterval(own)
		s.timeout = min(maxTimeout, s.interval)
	}
	s.apply(opts)
	return s
}

// ownTicks are the ticks of a program's own schedule.
type ownTicks struct{ schedule cron.Schedule }

// next returns the zero time also when something is wrong; see ask.
func (o ownTicks) next(t time.Time) time.Time {
	tick, _ := o.ask(t)
	return tick
}

// ask asks the schedule, and makes an error of what would stop or spin the caller.
func (o ownTicks) ask(t time.Time) (tick time.Time, err error) {
	err = guard.Call(func() { tick = o.schedule.Next(t.UTC().Truncate(time.Second)) })
	if err != nil {
		return time.Time{}, fmt.Errorf("its method Next, asked for the tick after %v, %w", t, err)
	}
	if tick.IsZero() {
		return time.Time{}, nil
	}
	if tick = tick.UTC(); tick.Nanosecond() > 0 {
		tick = tick.Truncate(time.Second).Add(time.Second)
	}
	if !tick.After(t) || tick.Year() > noTick.Year() {
		return time.Time{}, fmt.Errorf("its method Next, asked for the tick after %v, returned %v", t, tick)
	}
	return tick, nil
}

// ownDelay is when a schedule that failed is asked again.
const ownDelay = time.Minute

// tried is how many ticks are looked at to find out what is wrong with a schedule.
const tried = 100

// try returns the first ticks. A schedule whose ticks depend on where one asks from
// would have others in every process.
func (o ownTicks) try() (first []time.Time, err error) {
	if o.schedule == nil {
		return nil, errors.New("its schedule is nil")
	}
	for last := reference; len(first) < tried; {
		tick, err := o.ask(last)
		if err != nil {
			return nil, err
		}
		if tick.IsZero() {
			break
		}
		again, err := o.ask(tick.Add(-time.Second))
		if err != nil {
			return nil, err
		}
		if !again.Equal(tick) {
			return nil, fmt.Errorf("its method Next returned %v after %v, but %v after %v: the ticks depend on when it is asked", tick, last, again, tick.Add(-time.Second))
		}
		first, last = append(first, tick), tick
	}
	if len(first) == 0 {
		return nil, errors.New("it never fires")
	}
	return first, nil
}

// spec is the text that stands for the schedule.
func (o ownTicks) spec(first []time.Time) (text string, err error) {
	s, ok := o.schedule.(fmt.Stringer)
	if !ok {
		sum := fnv.New64a()
		for _, tick := range first {
			fmt.Fprintln(sum, tick.Unix())
		}
		return fmt.Sprintf("%s %016x", reflect.TypeOf(o.schedule), sum.Sum64()), nil
	}
	if err := guard.Call(func() { text = s.String() }); err != nil {
		return "", fmt.Errorf("its method String %w", err)
	}
	if text == "" || len(text) > maxSpec || !utf8.ValidString(text) || strings.IndexFunc(text, unicode.IsControl) >= 0 {
		return "", fmt.Errorf("its method String returned %d bytes that are not 1 to %d of one line of UTF-8", len(text), maxSpec)
	}
	return text, nil
}

// toldTicks are the next ticks for those who cannot read them from the spec, or "".
func (s Schedule) toldTicks(now time.Time) string {
	own, ok := s.ticks.(ownTicks)
	if !ok {
		return ""
	}
	told := []string{"own"}
	for _, tick := range take(own, now, upcomingTicks) {
		told = append(told, strconv.FormatInt(tick.Unix(), 10))
	}
	return strings.Join(told, " ")
}

// readTold reads what toldTicks wrote, as far as it is after a time.
func readTold(text string, now time.Time) (list []time.Time) {
	for word := range strings.FieldsSeq(text) {
		if unix, err := strconv.ParseInt(word, 10, 64); err == nil && unix > now.Unix() {
			list = append(list, time.Unix(unix, 0).UTC())
		}
	}
	return list
}
