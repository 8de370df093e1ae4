package main

import (
	"bytes"
	"slices"
	"sync/atomic"
	"time"
)

// tally counts messages and how long each was on its way. Any number of
// connections may count at the same time.
type tally struct {
	n           atomic.Int64
	first, last atomic.Int64   // arrivals, in Unix nanoseconds; 0 is none
	delays      []atomic.Int64 // in nanoseconds, by arrival; those of the first len(delays) messages
}

func newTally(expect int64) *tally {
	return &tally{delays: make([]atomic.Int64, expect)}
}

var sentAt = []byte(`"ts":`)

// count takes the messages of a frame that arrived at a time, in Unix
// nanoseconds. A protocol may wrap messages, and put several into a frame; each
// has its "ts".
func (t *tally) count(frame []byte, now int64) {
	for {
		_, rest, found := bytes.Cut(frame, sentAt)
		if !found {
			return
		}
		frame = rest
		if t.first.Load() == 0 {
			t.first.CompareAndSwap(0, now)
		}
		t.last.Store(now)
		if i := t.n.Add(1) - 1; i < int64(len(t.delays)) {
			t.delays[i].Store(now - leadingNumber(rest))
		}
	}
}

// leadingNumber reads the digits at the beginning.
func leadingNumber(b []byte) (n int64) {
	for _, c := range bytes.TrimLeft(b, " ") {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

func (t *tally) messages() int64 { return t.n.Load() }

// lastArrival is the zero time when there was none.
func (t *tally) lastArrival() time.Time {
	last := t.last.Load()
	if last == 0 {
		return time.Time{}
	}
	return time.Unix(0, last)
}

// result is what the messages so far amount to.
func (t *tally) result() received {
	n := t.n.Load()
	r := received{Received: n, Seconds: time.Duration(t.last.Load() - t.first.Load()).Seconds()}
	if r.Seconds > 0 {
		r.PerSecond = float64(n) / r.Seconds
	}
	delays := make([]int64, min(n, int64(len(t.delays))))
	for i := range delays {
		delays[i] = t.delays[i].Load()
	}
	slices.Sort(delays)
	r.P50, r.P99, r.Max = quantile(delays, .5), quantile(delays, .99), quantile(delays, 1)
	return r
}

// quantile returns a quantile of sorted nanoseconds, in milliseconds.
func quantile(sorted []int64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(q*float64(len(sorted)-1))]) / 1e6
}
