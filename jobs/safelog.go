package jobs

import (
	"context"
	"log/slog"
	"os"

	"github.com/queuerun/queuerun/jobs/guard"
)

// safeLog is the program's slog handler for the goroutines of a worker: one that
// panics, or ends the goroutine that logs, loses no job and ends no worker. What
// it did not take is written to stderr.
type safeLog struct{ given, fallback slog.Handler }

func newSafeLog(log *slog.Logger) *slog.Logger {
	return slog.New(safeLog{log.Handler(), slog.NewTextHandler(os.Stderr, nil)})
}

func (l safeLog) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	if err := guard.Recover(func() { enabled = l.given.Enabled(ctx, level) }); err != nil {
		return true
	}
	return enabled
}

func (l safeLog) Handle(ctx context.Context, record slog.Record) (err error) {
	broken := guard.Call(func() { err = l.given.Handle(ctx, record) })
	if broken == nil || !l.fallback.Enabled(ctx, record.Level) {
		return err
	}
	record = record.Clone()
	record.AddAttrs(slog.String("logger", broken.Error()))
	return l.fallback.Handle(ctx, record)
}

func (l safeLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return l.with(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (l safeLog) WithGroup(name string) slog.Handler {
	return l.with(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (l safeLog) with(more func(slog.Handler) slog.Handler) slog.Handler {
	var given slog.Handler
	if err := guard.Call(func() { given = more(l.given) }); err != nil || given == nil {
		given = l.given
	}
	return safeLog{given, more(l.fallback)}
}
