package jobstest

import (
	"context"
	"testing"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/embedded"
	"github.com/redis/go-redis/v9"
)

// Queues are the queues of one test.
type Queues struct {
	t        testing.TB
	rdb      *redis.Client
	client   *jobs.Client
	handlers []jobs.Handler
}

// New returns empty queues that end with the test. The handlers are the
// program's; a push to a queue without one is refused, as it is in earnest.
func New(t testing.TB, handlers ...jobs.Handler) *Queues {
	t.Helper()
	server, err := embedded.Start()
	if err != nil {
		t.Fatal(err)
	}
	q := &Queues{t: t, rdb: server.Client(), handlers: handlers}
	t.Cleanup(func() {
		q.rdb.Close()
		server.Close()
	})
	q.client = jobs.NewClient(q.rdb)
	q.client.Handles = handlers
	return q
}

// Context returns a context that pushes to the queues.
func (q *Queues) Context(ctx context.Context) context.Context { return q.client.Context(ctx) }

// Client returns a client of the queues, to Get, Wait for and Cancel jobs.
func (q *Queues) Client() *jobs.Client { return q.client }

// Run calls a handler for one payload and returns its error; a panic and a
// time-out are errors too. The current user of ctx is the job's. Of what a Job
// holds more, tell Handler.Call.
func Run[T any](ctx context.Context, handler jobs.Handler, payload T) error {
	_, err := handler.Call(ctx, jobs.Job{ID: "test"}, payload)
	return err
}
