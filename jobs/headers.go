package jobs

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// What travels with a job beside its payload, in the headers of the asynq task.
// A task from a foreign asynq client has none of them.
const (
	headerStart    = "queuerun-"
	headerVersion  = headerStart + "version"
	headerUser     = headerStart + "user"
	headerRequest  = headerStart + "request"
	headerGroup    = headerStart + "group"
	headerQueuedAt = headerStart + "queued-at"
	headerNotify   = headerStart + "notify"
	headerParam    = headerStart + "param-" // followed by the key

	formatVersion = "1"
)

func makeHeaders(ctx context.Context, group string, now time.Time, o pushOptions) map[string]string {
	headers := map[string]string{
		headerVersion:  formatVersion,
		headerQueuedAt: now.UTC().Format(time.RFC3339Nano),
	}
	setHeader(headers, headerUser, UserID(ctx))
	setHeader(headers, headerRequest, RequestID(ctx))
	setHeader(headers, headerGroup, group)
	if o.notify {
		headers[headerNotify] = "1"
	}
	for key, value := range o.params {
		headers[headerParam+key] = value
	}
	return headers
}

func setHeader(headers map[string]string, name, value string) {
	if value != "" {
		headers[name] = value
	}
}

// readHeaders fills in what the headers say about a job.
func readHeaders(job *Job, headers map[string]string) error {
	if v, ok := headers[headerVersion]; ok && v != formatVersion {
		// Not final: during a deployment a newer worker may take it next.
		return fmt.Errorf("queue %q: the job has format %q, and this worker knows only %q", job.Queue, v, formatVersion)
	}
	job.UserID = headers[headerUser]
	job.Group = headers[headerGroup]
	if at, ok := headers[headerQueuedAt]; ok {
		var err error
		if job.QueuedAt, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return finalError{fmt.Errorf("queue %q: header %s: %w", job.Queue, headerQueuedAt, err)}
		}
	}
	for name, value := range headers {
		if key, ok := strings.CutPrefix(name, headerParam); ok {
			if job.Params == nil {
				job.Params = map[string]string{}
			}
			job.Params[key] = value
		}
	}
	return nil
}
