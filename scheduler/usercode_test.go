package scheduler

import (
	"context"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type badError struct{ fail func() string }

func (e badError) Error() string { return e.fail() }

// TestFunctionThatFailsBadly: whatever a schedule's function does or returns, the run
// ends as one that failed, and what is kept of it is text of a bounded length.
func TestFunctionThatFailsBadly(t *testing.T) {
	redistest.Each(t, func(t *testing.T, rdb *redis.Client) {
		client := jobs.NewClient(rdb)
		ctx := client.Context(t.Context())
		for name, run := range map[string]func(context.Context) error{
			"nil in an error": func(context.Context) error { var err *nilError; return err },
			"joined":          func(context.Context) error { var err *nilError; return errors.Join(err, errors.New("x")) },
			"permanent":       func(context.Context) error { var err *nilError; return jobs.Permanent(err) },
			"panics in Error": func(context.Context) error { return badError{func() string { panic("tea") }} },
			"exits in Error":  func(context.Context) error { return badError{func() string { runtime.Goexit(); return "" }} },
			"panics":          func(context.Context) error { panic(badError{func() string { panic("tea") }}) },
			"exits":           func(context.Context) error { runtime.Goexit(); return nil },
			"huge":            func(context.Context) error { return errors.New(strings.Repeat("é", 8<<20)) },
			"no UTF-8":        func(context.Context) error { return errors.New("a\xffb") },
		} {
			handler := Handler([]Schedule{New(name, "never", run)})
			if _, err := handler.Call(ctx, jobs.Job{}, tick{Name: name, Cron: "never", Unix: 1}); err == nil {
				t.Errorf("%s: no error", name)
			}
			last, err := readEnded(name, rdb.HGet(ctx, "queuerun:{schedules}:last", name).Val())
			if err != nil || last == nil {
				t.Errorf("%s: got %v, %v", name, last, err)
				continue
			}
			if last.Result != Failed || last.Reason == "" || len(last.Reason) > maxReason+3 || !utf8.ValidString(last.Reason) {
				t.Errorf("%s: got %s and %d bytes: %.100q", name, last.Result, len(last.Reason), last.Reason)
			}
			if other := rdb.HGet(ctx, "queuerun:{schedules}:runs", name).Val(); other != "" {
				t.Errorf("%s: the run %s goes on", name, other)
			}
		}
	})
}

// TestUnknownTickWaitsByTriesNotByClocks: a tick that this program does not know goes to
// others for an hour, whatever the clock of the one who pushed it said.
func TestUnknownTickWaitsByTriesNotByClocks(t *testing.T) {
	waits, ends := reflect.TypeOf(jobs.RetryIn(errors.ErrUnsupported, 1)), reflect.TypeOf(jobs.Permanent(errors.ErrUnsupported))
	for _, test := range []struct {
		queued  time.Duration // after now
		attempt int
		want    reflect.Type
	}{
		{-24 * time.Hour, 1, waits},
		{24 * time.Hour, 720, waits},
		{-time.Minute, 721, ends},
		{24 * time.Hour, 721, ends},
	} {
		job := jobs.Job{QueuedAt: time.Now().Add(test.queued), Attempt: test.attempt}
		_, err := Handler(nil).Call(t.Context(), job, tick{Name: "unknown"})
		if got := reflect.TypeOf(err); got != test.want {
			t.Errorf("queued %v from now, attempt %d: got %v, want %v", test.queued, test.attempt, got, test.want)
		}
	}
}

// TestRunsBeginAndEndOnAFullRedis: a worker works off what there is.
func TestRunsBeginAndEndOnAFullRedis(t *testing.T) {
	rdb := redistest.Real(t).Client(t)
	ctx := t.Context()
	if err := rdb.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	s := storeOf(jobs.NewClient(rdb))
	run := Run{Name: "s", ID: "s:1", At: time.Unix(1, 0)}
	if other, err := s.begin(ctx, run); err != nil || other != "" {
		t.Errorf("begin: got %q, %v", other, err)
	}
	if got := rdb.HGet(ctx, s.runsKey(), "s").Val(); got != "s:1" {
		t.Errorf("going on is %q", got)
	}
	if err := s.end(ctx, Ended{Run: run, Result: Succeeded}); err != nil {
		t.Errorf("end: %v", err)
	}
	other := Run{Name: "other", ID: "other:1", At: time.Unix(1, 0)} // begun with Overlap Allow
	if err := s.end(ctx, Ended{Run: other, Result: Succeeded}); err != nil {
		t.Errorf("end: %v", err)
	}
	if rdb.HGet(ctx, s.runsKey(), "s").Val() != "" || rdb.HGet(ctx, s.lastKey(), "s").Val() == "" {
		t.Error("it is not noted that the run has ended")
	}
}
