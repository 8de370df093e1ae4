package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is what is known of a schedule. List returns it.
type Status struct {
	// Name and Spec are those given to New.
	Name, Spec string
	// Cron is the spec as the five or six fields of cron, or "" if they cannot say it.
	Cron string
	// Next are the next ticks, up to three, without their jitter. They come also
	// while the schedule is paused, and are empty with "never".
	Next []time.Time
	// Prev is the last tick that was made a job; zero without one.
	Prev time.Time
	// Paused is since when the schedule is paused; zero when it is not.
	Paused time.Time
	// Declared is when a scheduler process that has this schedule last said so,
	// which it does every few seconds.
	Declared time.Time
	// Last is the run that ended last; nil before the first.
	Last *Ended
}

// Result is how a run ended.
type Result string

const (
	Succeeded Result = "succeeded"
	Failed    Result = "failed"
	// Skipped: an earlier run was going on; see Overlap.
	Skipped Result = "skipped"
)

// Ended is a run that has ended.
type Ended struct {
	// Run is what FromContext gave to it.
	Run Run
	// Began is when it did, by the worker's clock, in milliseconds, and Took how
	// long it went on.
	Began time.Time
	Took  time.Duration
	// Result is how it ended, and Reason why it failed or was skipped.
	Result Result
	Reason string
}

// upcomingTicks is how many ticks are shown.
const upcomingTicks = 3

// Status returns the status of a schedule as far as it can be told without Redis,
// at the given time: its name, its spec and its next ticks.
func (s Schedule) Status(now time.Time) Status {
	status := Status{Name: s.name, Spec: s.spec}
	if s.ticks != nil {
		status.Next = take(s.ticks, now, upcomingTicks)
	}
	if f, ok := s.ticks.(fielder); ok {
		status.Cron = f.fields()
	}
	return status
}

// List returns what is known of the schedules of all programs that share the
// Redis and the prefix of ctx, by name. Those that no program has any more are
// among them for an hour. It returns jobs.ErrNoClient if ctx carries no client; the
// contexts of handlers and of jobs.Client.Context do.
func List(ctx context.Context) ([]Status, error) {
	s, err := storeFrom(ctx)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	list, err := s.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list schedules: %w", err)
	}
	return list, nil
}

func (s store) list(ctx context.Context) ([]Status, error) {
	records, err := s.all(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.time(ctx)
	if err != nil {
		return nil, err
	}
	last, err := s.rdb.HGetAll(ctx, s.lastKey()).Result()
	if err != nil {
		return nil, err
	}
	list := make([]Status, len(records))
	for i, r := range records {
		list[i] = Status{Name: r.name, Spec: r.spec, Prev: r.cursor, Paused: r.paused, Declared: r.declared}
		list[i].Next = r.next(now, upcomingTicks)
		if r.ticks == "" {
			list[i].Cron = fieldsOf(r.spec)
		}
		if text, ok := last[r.name]; ok {
			if list[i].Last, err = readEnded(r.name, text); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// all reads the records of all schedules, by name.
func (s store) all(ctx context.Context) ([]record, error) {
	names, err := s.rdb.SMembers(ctx, s.namesKey()).Result()
	if err != nil {
		return nil, fmt.Errorf("read the names of schedules: %w", err)
	}
	slices.Sort(names)
	records, err := s.read(ctx, names)
	return slices.DeleteFunc(records, func(r record) bool { return !r.known }), err
}

// upcoming returns the next ticks that will be run, up to a number.
func upcoming(r record, now time.Time, most int) []time.Time {
	if !r.paused.IsZero() {
		return nil
	}
	return r.next(now, most)
}

// next returns the ticks after a time, up to a number.
func (r record) next(t time.Time, most int) []time.Time {
	if r.ticks != "" {
		told := readTold(r.ticks, t)
		return told[:min(most, len(told))]
	}
	return ticksAfter(r.spec, t, most)
}

// ticksAfter returns the ticks of a spec after a time. A newer program may have
// specs that this one cannot read; they have none.
func ticksAfter(spec string, t time.Time, most int) (list []time.Time) {
	ticks, err := parse(spec)
	if err != nil || ticks == nil {
		return nil
	}
	return take(ticks, t, most)
}

// take returns the ticks after a time, up to a number.
func take(of ticks, t time.Time, most int) (list []time.Time) {
	for range most {
		if t = of.next(t); t.IsZero() {
			break
		}
		list = append(list, t)
	}
	return list
}

// ended is how an Ended is stored, after the version.
type ended struct {
	ID     string `json:"id"`
	Cron   string `json:"cron"`
	At     int64  `json:"at"`    // Unix ms
	Began  int64  `json:"began"` // Unix ms
	Took   int64  `json:"took"`  // µs
	Result Result `json:"result"`
	Reason string `json:"reason,omitempty"`
}

func (e Ended) text() string {
	data, _ := json.Marshal(ended{e.Run.ID, e.Run.Cron, e.Run.At.UnixMilli(), e.Began.UnixMilli(), e.Took.Microseconds(), e.Result, e.Reason}) // It always can be.
	return formatVersion + " " + string(data)
}

func readEnded(name, text string) (*Ended, error) {
	data, ok := strings.CutPrefix(text, formatVersion+" ")
	if !ok {
		return nil, nil // A newer program's.
	}
	var e ended
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		return nil, fmt.Errorf("read the last run of schedule %q: %w", name, err)
	}
	return &Ended{
		Run:   Run{Name: name, Cron: e.Cron, ID: e.ID, At: time.UnixMilli(e.At).UTC()},
		Began: time.UnixMilli(e.Began).UTC(), Took: time.Duration(e.Took) * time.Microsecond,
		Result: e.Result, Reason: e.Reason,
	}, nil
}
