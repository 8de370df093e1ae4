package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// logged is a log that tests read.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Split(strings.TrimSpace(l.text.String()), "\n")
}

// refusing is a Redis that refuses to start jobs for now, but answers what was
// asked before.
type refusing struct{ looks int }

type refusal struct{ error }

func (refusal) RedisError() {}

func (r *refusing) DialHook(next redis.DialHook) redis.DialHook { return next }
func (r *refusing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
func (r *refusing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if args := cmd.Args(); len(args) > 7 && args[1] == lookScript.Hash() && args[7] != "again" {
			r.looks++
			cmd.SetErr(refusal{errors.New("MISCONF no writes for now")})
			return cmd.Err()
		}
		return next(ctx, cmd)
	}
}

// A Redis that refuses to start jobs, and answers when it is asked for the reply
// that was lost, makes neither many looks nor many lines.
func TestARedisThatRefusesToStartJobsIsAskedLessAndLess(t *testing.T) {
	rdb := redistest.Embedded(t)
	r := &refusing{}
	rdb.AddHook(r)
	var text logged
	queue := NewQueue[int]("q")
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	worker := Worker{Redis: rdb, Logger: slog.New(slog.NewTextHandler(&text, nil)),
		Handlers: []Handler{queue.Handle(func(context.Context, int) error { return nil })}}
	if err := worker.Run(ctx); err != nil {
		t.Fatal(err)
	}
	// 10, 20, 40 ms and so on, up to a second, make eleven looks in four seconds.
	if r.looks > 15 {
		t.Errorf("it was asked %d times in four seconds", r.looks)
	}
	var warnings []string
	for _, line := range text.lines() {
		if strings.Contains(line, "WARN") && strings.Contains(line, "looking for jobs") {
			warnings = append(warnings, line)
		}
	}
	if len(warnings) != 1 {
		t.Errorf("%d lines about it:\n%s", len(warnings), strings.Join(warnings, ""))
	}
}
