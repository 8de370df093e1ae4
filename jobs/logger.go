package jobs

import (
	"fmt"
	"log/slog"
)

// asynqLogger passes on what asynq has to say. Its news of starting, stopping
// and of each failed job are for debugging: the lines about jobs are ours.
type asynqLogger struct{ log *slog.Logger }

func (l asynqLogger) Debug(args ...any) { l.log.Debug(line(args)) }
func (l asynqLogger) Info(args ...any)  { l.log.Debug(line(args)) }
func (l asynqLogger) Warn(args ...any)  { l.log.Debug(line(args)) }
func (l asynqLogger) Error(args ...any) { l.log.Warn(line(args)) }
func (l asynqLogger) Fatal(args ...any) { l.log.Error(line(args)) }

func line(args []any) string { return "asynq: " + fmt.Sprint(args...) }
