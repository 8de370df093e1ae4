package jobs

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// overrunGrace is how long a handler whose time-out has passed may take to
	// notice, before it is logged.
	overrunGrace = time.Second
	// maxStack bounds the stack that is logged then.
	maxStack = 16 << 10
)

// watch logs once, with the handler's stack, that the calling goroutine's
// handler has overrun its time-out, at the time when it does: it may never
// return. It returns the context for the handler, and what to call when that has
// returned.
func (h Handler) watch(ctx context.Context, log *slog.Logger) (_ context.Context, returned func()) {
	seat := h.seats.take()
	ctx = pprof.WithLabels(ctx, seat.label)
	pprof.SetGoroutineLabels(ctx)
	logged := make(chan struct{})
	after := h.timeout + min(overrunGrace, math.MaxInt64-h.timeout)
	timer := time.AfterFunc(after, func() {
		defer close(logged)
		job, _ := FromContext(ctx)
		log.Warn("the handler has not returned although its time-out has passed, and its job waits for that",
			"job", job.ID, "timeout", h.timeout, "stack", h.seats.stack(seat, time.Now()))
	})
	return ctx, func() {
		if !timer.Stop() {
			<-logged
		}
		pprof.SetGoroutineLabels(context.Background())
		h.seats.leave(seat)
	}
}

// labelKey is the label that the goroutines of a handler have in profiles: its
// queue and the seat, so that there are only as many values as handlers at work
// at the same time. By it a handler's stack is found among all others without
// stopping the program, as runtime.Stack would.
const labelKey = "queuerun"

type seat struct {
	name  string
	label pprof.LabelSet
}

// seats are where the handlers of one queue sit that are at work.
type seats struct {
	queue string

	mu   sync.Mutex
	free []*seat
	made int

	profile sync.Mutex // one at a time: it looks at every goroutine
	taken   time.Time
	stacks  map[string]string // at that time
}

func newSeats(queue string) *seats { return &seats{queue: queue} }

func (s *seats) take() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		free := s.free[n-1]
		s.free = s.free[:n-1]
		return free
	}
	s.made++
	name := s.queue + "/" + strconv.Itoa(s.made)
	return &seat{name, pprof.Labels(labelKey, name)}
}

func (s *seats) leave(left *seat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, left)
}

// stack returns the stack of the handler in a seat as it was at some time after
// since. Handlers that overrun together share one look at all goroutines.
func (s *seats) stack(of *seat, since time.Time) string {
	s.profile.Lock()
	defer s.profile.Unlock()
	if s.taken.Before(since) {
		s.taken = time.Now()
		s.stacks = stacksOf(s.queue + "/")
	}
	stack, ok := s.stacks[of.name]
	if !ok {
		return "unknown: the handler's goroutine has other labels"
	}
	return stack
}

// stacksOf returns the stacks of the handlers whose seats' names begin so, by
// seat. Goroutines that handlers began have the label as well, but not call.
func stacksOf(start string) map[string]string {
	var profile bytes.Buffer
	// Writing to a buffer does not fail.
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	stacks, mark := map[string]string{}, `"`+labelKey+`":"`+start
	for _, block := range strings.Split(profile.String(), "\n\n") {
		_, labels, ok := strings.Cut(block, mark)
		if !ok || !strings.Contains(block, "jobs.Handler.callSafely") {
			continue
		}
		number, _, _ := strings.Cut(labels, `"`)
		if _, frames, ok := strings.Cut(block, "\n#\t"); ok {
			stacks[start+number] = cut("#\t"+frames, maxStack)
		}
	}
	return stacks
}
