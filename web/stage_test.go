package web_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/queuerun/queuerun/jobs"
	"github.com/queuerun/queuerun/jobs/redistest"
	"github.com/redis/go-redis/v9"
)

// patience is how long a test waits for what takes a second on an idle machine.
// Groups that the dashboard changed are looked after every 5 seconds.
const patience = 30 * time.Second

// order is the payload of the jobs. Its first letter is the job's FIFO group.
type order struct {
	Item string `json:"item"`
}

// stage is a queue with a worker whose jobs do what the test says.
type stage struct {
	t     *testing.T
	ctx   context.Context
	rdb   *redis.Client
	queue *jobs.Queue[order]
	name  string
	fifo  bool
	ids   map[string]string // of the jobs that were pushed

	mu      sync.Mutex
	ran     []string       // in the order in which the runs started
	running map[string]int // by group
	held    map[string]chan struct{}
	failing map[string]bool
	ended   map[string]error // why the context of a held job ended
}

// newStage starts a worker for the queue, on a Redis of its own.
func newStage(t *testing.T, name string, options ...jobs.HandlerOption) *stage {
	t.Helper()
	s := &stage{
		t: t, rdb: redistest.Embedded(t), queue: jobs.NewQueue[order](name), name: name, fifo: strings.HasSuffix(name, ".fifo"),
		ids: map[string]string{}, running: map[string]int{}, held: map[string]chan struct{}{}, failing: map[string]bool{}, ended: map[string]error{},
	}
	handlers := []jobs.Handler{s.queue.Handle(s.handle, options...)}
	client := jobs.NewClient(s.rdb)
	client.Handles = handlers
	s.ctx = client.Context(t.Context())

	worker := &jobs.Worker{Redis: s.rdb, Handlers: handlers, Logger: slog.New(slog.DiscardHandler), Drain: time.Millisecond}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("the worker stopped with: %v", err)
		}
	})
	return s
}

func (s *stage) handle(ctx context.Context, o order) error {
	job, _ := jobs.FromContext(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = append(s.ran, o.Item)
	s.running[job.Group]++
	defer func() { s.running[job.Group]-- }()
	if s.fifo && s.running[job.Group] > 1 {
		s.t.Errorf("%s runs beside another job of its group", o.Item)
	}
	if held := s.held[o.Item]; held != nil {
		s.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if ctx.Err() != nil {
			s.ended[o.Item] = context.Cause(ctx)
			return ctx.Err()
		}
	}
	if s.failing[o.Item] {
		return errors.New("out of stock: " + o.Item)
	}
	return nil
}

// hold keeps the jobs running, once started, until they are released.
func (s *stage) hold(items ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range items {
		s.held[item] = make(chan struct{})
	}
}

func (s *stage) release(items ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range items {
		close(s.held[item])
		delete(s.held, item)
	}
}

// fail makes the jobs fail, or not any more.
func (s *stage) fail(failing bool, items ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range items {
		s.failing[item] = failing
	}
}

func (s *stage) push(items ...string) {
	s.t.Helper()
	for _, item := range items {
		s.pushWith(item)
	}
}

func (s *stage) pushWith(item string, options ...jobs.PushOption) {
	s.t.Helper()
	push := s.queue.Push
	if s.fifo {
		push = s.queue.Group(item[:1]).Push
	}
	id, err := push(s.ctx, order{item}, options...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ids[item] = id
}

// state returns what Asynq says of a job, or "gone".
func (s *stage) state(item string) string {
	info, err := asynq.NewInspectorFromRedisClient(s.rdb).GetTaskInfo(s.name, s.ids[item])
	if errors.Is(err, asynq.ErrTaskNotFound) {
		return "gone"
	}
	if err != nil {
		return err.Error()
	}
	return info.State.String()
}

// be waits until the jobs are in a state.
func (s *stage) be(state string, items ...string) {
	s.t.Helper()
	for _, item := range items {
		redistest.Eventually(s.t, patience, item+" to be "+state, func() bool { return s.state(item) == state })
	}
}

// runs waits until these runs of a FIFO group have started, in this order, and no
// others. All items have the same first letter.
func (s *stage) runs(want ...string) {
	s.t.Helper()
	var got []string
	defer func() {
		if !slices.Equal(got, want) {
			s.t.Errorf("group %s ran %q, want %q", want[0][:1], got, want)
		}
	}()
	redistest.Eventually(s.t, patience, "group "+want[0][:1]+" to run", func() bool {
		got = s.ranIn(want[0][:1])
		return len(got) >= len(want)
	})
}

func (s *stage) ranIn(group string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ran []string
	for _, item := range s.ran {
		if strings.HasPrefix(item, group) {
			ran = append(ran, item)
		}
	}
	return ran
}

// endOf returns why the context of a held job ended, or nil.
func (s *stage) endOf(item string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended[item]
}
