package guard

import (
	"context"
	"log/slog"
	"os"
)

// Logger returns the logger with its handler guarded: one that panics, or ends the
// goroutine that logs, takes nothing with it, neither a job nor the process. What it
// did not take is written to stderr. Nil means slog.Default().
func Logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		log = slog.Default()
	}
	given := log.Handler()
	if _, guarded := given.(safeLog); guarded {
		return log
	}
	return slog.New(safeLog{given: given})
}

// safeLog is a handler and what was added to it since it was handed in, newest
// first, from which the fallback is made when it is needed.
type safeLog struct {
	given slog.Handler
	added *added
}

type added struct {
	to   *added
	more func(slog.Handler) slog.Handler
}

func (a *added) apply(h slog.Handler) slog.Handler {
	if a == nil {
		return h
	}
	return a.more(a.to.apply(h))
}

func (l safeLog) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	if err := Recover(func() { enabled = l.given.Enabled(ctx, level) }); err != nil {
		return true
	}
	return enabled
}

func (l safeLog) Handle(ctx context.Context, record slog.Record) (err error) {
	broken := Call(func() { err = l.given.Handle(ctx, record) })
	if broken == nil {
		return err
	}
	fallback := slog.Handler(slog.NewTextHandler(os.Stderr, nil))
	if !fallback.Enabled(ctx, record.Level) {
		return nil
	}
	record = record.Clone()
	record.AddAttrs(slog.String("logger", broken.Error()))
	return l.added.apply(fallback).Handle(ctx, record)
}

func (l safeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return l.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (l safeLog) WithGroup(name string) slog.Handler {
	return l.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (l safeLog) with(more func(slog.Handler) slog.Handler) slog.Handler {
	var given slog.Handler
	if err := Call(func() { given = more(l.given) }); err != nil || given == nil {
		given = l.given
	}
	return safeLog{given, &added{l.added, more}}
}
