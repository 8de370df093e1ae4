package client

import (
	"testing"
	"time"
)

func TestBackoffIsSpreadOverAStep(t *testing.T) {
	b := Backoff{First: 100 * time.Millisecond, Max: time.Second}
	for before, ceiling := range []time.Duration{100, 200, 400, 800, 1000, 1000} {
		ceiling *= time.Millisecond
		var longest, sum time.Duration
		const n = 2000
		for range n {
			wait := b.jitter(before)
			if wait < 0 || wait >= ceiling {
				t.Fatalf("wait of %v after %d failures, want less than %v", wait, before, ceiling)
			}
			longest, sum = max(longest, wait), sum+wait
		}
		if mean := sum / n; mean < ceiling*4/10 || mean > ceiling*6/10 || longest < ceiling*9/10 {
			t.Errorf("after %d failures: mean %v, longest %v of %v", before, mean, longest, ceiling)
		}
	}
}

func TestBackoffWithOddLimits(t *testing.T) {
	for _, b := range []Backoff{
		{}, {First: -1, Max: -1}, {First: time.Hour, Max: time.Second}, {First: 1, Max: 1}, {First: 1<<63 - 1, Max: 1<<63 - 1},
		{First: 1, Max: 1<<63 - 1},
	} {
		for _, before := range []int{0, 1, 62, 63, 64, 1 << 30} {
			ceiling := positive(b.Max, DefaultBackoffMax)
			if wait := b.jitter(before); wait < 0 || wait >= ceiling {
				t.Errorf("%+v: wait of %v after %d failures", b, wait, before)
			}
		}
	}
}
