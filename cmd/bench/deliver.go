package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// deliver sends messages to connected users and measures their arrival.
func (st *stage) deliver(ctx context.Context, c config, b burst) (figures, error) {
	load, err := st.connect(ctx, c, c.users, "-expect", fmt.Sprint(b.deliveries), "-timeout", arriveTimeout.String())
	if err != nil {
		return figures{}, err
	}
	defer load.stop()
	clocks := cpuClocks{st.server, st.redis, load}
	before, err := clocks.read()
	if err != nil {
		return figures{}, err
	}
	publisher, err := start(ctx, st.side.name+" publisher", st.side.publishing(st.redisAddr, c, b)...)
	if err != nil {
		return figures{}, err
	}
	defer publisher.stop()
	if err := publisher.finish(); err != nil {
		return figures{}, err
	}
	if err := load.finish(); err != nil {
		return figures{}, err
	}
	var r received
	if err := json.Unmarshal([]byte(load.out.line("{")), &r); err != nil {
		return figures{}, fmt.Errorf("read the result of the load generator: %w\n%s", err, load.out.tail())
	}
	after, err := append(clocks, publisher).read()
	if err != nil {
		return figures{}, err
	}
	// The publisher was not there before.
	return b.figures(r, append(before, 0), after), nil
}

// figures are made of what was received, and the CPU times before and after of
// the server, Redis, the load generator and the publisher.
func (b burst) figures(r received, before, after []time.Duration) figures {
	f := figures{of: map[*measure]float64{
		delivered: r.PerSecond,
		lost:      float64(int64(b.deliveries) - r.Received),
		closed:    float64(r.Closed),
		p50:       r.P50, p99: r.P99, longest: r.Max,
	}}
	for i, m := range []*measure{serverCPU, redisCPU, loadCPU, publisherCPU} {
		f.of[m] = (after[i] - before[i]).Seconds() * 1e6 / float64(b.deliveries)
	}
	if r.Closed > 0 {
		f.note = "the first connection that was closed: " + r.Why
	}
	return f
}

// cpuClocks are the CPU times of some processes.
type cpuClocks []*process

func (c cpuClocks) read() ([]time.Duration, error) {
	times := make([]time.Duration, len(c))
	for i, p := range c {
		t, err := p.cpu()
		if err != nil {
			return nil, err
		}
		times[i] = t
	}
	return times, nil
}
