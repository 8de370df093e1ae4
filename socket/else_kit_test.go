package socket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

type mail struct{ Subject string }

var mails = jobs.NewQueue[mail]("mails")

// office is the queue of mails that messages fall back on, and those that were
// written.
type office struct {
	t    testing.TB
	rdb  *redis.Client
	ctx  context.Context // sends, and pushes
	jobs *jobs.Client

	mu      sync.Mutex
	written map[string]int       // "user: subject"
	at      map[string]time.Time // of the first
}

func newOffice(t testing.TB, rdb *redis.Client) *office {
	o := &office{t: t, rdb: rdb, jobs: jobs.NewClient(rdb), written: map[string]int{}, at: map[string]time.Time{}}
	o.jobs.Handles = []jobs.Handler{mails.Handle(o.write)} // the queue is known, also without a worker
	o.ctx = o.jobs.Context(outside(rdb))
	return o
}

func (o *office) write(ctx context.Context, m mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := jobs.UserID(ctx) + ": " + m.Subject
	if o.written[name]++; o.written[name] == 1 {
		o.at[name] = time.Now()
	}
	return nil
}

// open runs a worker until the test ends. handle is nil for one that writes the
// mails.
func (o *office) open(handle func(context.Context, mail) error) {
	o.t.Helper()
	if handle == nil {
		handle = o.write
	}
	o.openWith(mails.Handle(handle))
}

// openWith runs a worker with other handlers.
func (o *office) openWith(handlers ...jobs.Handler) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.ctx)
	var working sync.WaitGroup
	working.Go(func() {
		w := &jobs.Worker{Redis: o.rdb, Logger: quiet, Handlers: handlers}
		if err := w.Run(ctx); err != nil {
			o.t.Errorf("worker: %v", err)
		}
	})
	o.t.Cleanup(func() {
		cancel()
		working.Wait()
	})
}

// send sends a text to a user with a mail of the same text to fall back on.
func (o *office) send(user, text string, within time.Duration, opts ...SendOption) {
	o.t.Helper()
	sendText(o.t, o.ctx, To(user), text, append(opts, Else(mails, mail{text}, within))...)
}

// waiting returns the ids of the fallbacks that are in the queue.
func (o *office) waiting() (ids []string) {
	o.t.Helper()
	keys, err := o.rdb.Keys(o.ctx, "*:t:else-*").Result()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, key := range keys {
		ids = append(ids, key[strings.Index(key, "else-"):])
	}
	return ids
}

// expectWaiting waits until so many fallbacks are left in the queue.
func (o *office) expectWaiting(n int) {
	o.t.Helper()
	redistest.Eventually(o.t, patience, fmt.Sprint(n, " fallbacks in the queue"), func() bool { return len(o.waiting()) == n })
}

// expectWritten waits until the queue is empty, and fails unless exactly these
// mails were written, each once.
func (o *office) expectWritten(want ...string) {
	o.t.Helper()
	o.expectWaiting(0)
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string]int{}
	for _, name := range want {
		all[name] = 1
	}
	if !maps.Equal(o.written, all) {
		o.t.Errorf("written were %v, want each of %v once", o.written, slices.Sorted(maps.Keys(all)))
	}
}

// expectElse receives a text that wants an acknowledgement, and returns its token
// and position.
func (r resumer) expectElse(text string) (token, at string) {
	r.t.Helper()
	m := r.receive()
	if m.Text == nil || *m.Text != text || m.Ack == "" {
		r.t.Fatalf("received %+v, want %q with a token", m, text)
	}
	return m.Ack, m.At
}

// acknowledge returns when the server has answered.
func (r resumer) acknowledge(token string) {
	r.t.Helper()
	r.say(`{"ack":` + quote(token) + `}`)
	r.expectFrame(`{"acked":` + quote(token) + `}`)
}

// job returns what is known of a fallback by its token.
func (o *office) job(token string) (jobs.Info, error) {
	queue, id, _ := strings.Cut(token, "/")
	return o.jobs.Get(o.ctx, queue, id)
}

func (o *office) expectGone(token string) {
	o.t.Helper()
	redistest.Eventually(o.t, patience, "the fallback to be gone", func() bool {
		_, err := o.job(token)
		return errors.Is(err, jobs.ErrNotFound)
	})
}
