package jobs

import (
	"log/slog"
	"math"
	"testing"
	"time"
)

func TestDefaultBackoff(t *testing.T) {
	for queue, longest := range map[string]time.Duration{"standard": time.Hour, "line.fifo": time.Minute} {
		h := newHandler(queue, nil)
		for attempt := 1; attempt <= 100; attempt++ {
			want := longest
			if attempt < 20 {
				want = min(longest, time.Second<<(attempt-1))
			}
			if got := h.wait(attempt, slog.New(slog.DiscardHandler)); got > want || got < want/2 {
				t.Errorf("queue %s: waits %v after attempt %d, want %v less up to a half", queue, got, attempt, want)
			}
		}
	}
}

func TestBackoffIsBounded(t *testing.T) {
	ask := func(wait time.Duration) HandlerOption {
		return Backoff(func(int) time.Duration { return wait })
	}
	for _, test := range []struct {
		queue      string
		asks, want time.Duration
	}{
		{"standard", 24 * time.Hour, 24 * time.Hour},
		{"standard", 0, 0},
		{"standard", math.MaxInt64, farthest},
		{"line.fifo", time.Hour, time.Minute},
		{"line.fifo", time.Second, time.Second},
	} {
		if got := newHandler(test.queue, []HandlerOption{ask(test.asks)}).wait(1, slog.New(slog.DiscardHandler)); got != test.want {
			t.Errorf("queue %s: asked for %v, waits %v, want %v", test.queue, test.asks, got, test.want)
		}
	}
}
