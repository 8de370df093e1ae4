package jobs

import "context"

// The keys under which a context carries what a handler needs. Each is a type
// of its own, so no other package can read or overwrite the value.
type (
	userKey     struct{}
	requestKey  struct{}
	jobKey      struct{}
	clientKey   struct{}
	progressKey struct{}
)

// WithUserID returns a context whose current user is id. Jobs pushed with it,
// and the jobs that those push, belong to that user. An empty id means that
// there is no current user. Push refuses one of more than 1 KiB.
func WithUserID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, userKey{}, id)
}

// UserID returns the current user's id, or "" when there is none: the user who
// made the HTTP request, who sent the message, or who was current when the job
// was pushed.
func UserID(ctx context.Context) string {
	id, _ := ctx.Value(userKey{}).(string)
	return id
}

// WithRequestID returns a context that names the request being served, so that
// the jobs it pushes can be traced back to it. Push refuses one of more than 1 KiB.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestKey{}, id)
}

// RequestID returns the id of the HTTP request or socket message that this work
// began with, also inside the jobs that it pushed, or "" when there is none.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// FromContext returns the job that the calling handler is running. The second
// result is false outside a job's handler.
func FromContext(ctx context.Context) (Job, bool) {
	job, ok := ctx.Value(jobKey{}).(Job)
	return job, ok
}
